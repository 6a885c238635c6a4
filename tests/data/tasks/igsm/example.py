"""A worked example in a small world of its own."""

from physlm.data.tasks.igsm import Category, World

SMALL_WORLD = World(
    (
        (
            Category("Site", (("Salt Yard",),)),
            Category("Store", (("Ash Crate", "Bog Crate"),)),
            Category("Nail", (("Tin Nail",),)),
        ),
    )
)
PROBLEM = (
    "The number of each Salt Yard's Bog Crate equals 20 times the difference of each Salt Yard's "
    "Ash Crate and each Ash Crate's Tin Nail. "
    "The number of each Ash Crate's Tin Nail equals 9. "
    "The number of each Salt Yard's Ash Crate equals 6 more than each Ash Crate's Tin Nail."
)
QUESTION = "How many Nail has Salt Yard?"
SENTENCES = (
    "Define Ash Crate's Tin Nail as k; so k = 9.",
    "Define Ash Crate's Nail as M; so M = k = 9.",
    "Define Salt Yard's Ash Crate as d; so d = 6 + k = 6 + 9 = 15.",
    "Define Salt Yard's Bog Crate as T; r = d \u2212 k = 15 \u2212 9 = 6; "
    "so T = 20 \u00d7 r = 20 \u00d7 6 = 5.",
    "Define Bog Crate's Nail as u; so u = 0.",
    "Define Salt Yard's Nail as H; a = d \u00d7 M = 15 \u00d7 9 = 20; "
    "b = T \u00d7 u = 5 \u00d7 0 = 0; so H = a + b = 20 + 0 = 20.",
)
SOLUTION = " ".join(SENTENCES)
