"""The words of the world: categories in layers, each with five subcategories of four nouns.

A modifier of the category and a noun make the name of an item, such as Oaken Barrel.
"""

# Name of the category: modifiers, then the nouns of each subcategory.
CategoryWords = tuple[str, str, tuple[str, ...]]

HIERARCHIES: tuple[tuple[CategoryWords, ...], ...] = (
    (
        (
            "Port",
            "North Old Royal Windy Stone",
            (
                "Harbour Wharf Quay Marina",
                "Bay Cove Inlet Lagoon",
                "Lighthouse Beacon Breakwater Jetty",
                "Dock Shipyard Slipway Drydock",
                "Ferryhouse Customhouse Boathouse Saltworks",
            ),
        ),
        (
            "Vessel",
            "Swift Painted Battered Sturdy Silent",
            (
                "Sloop Cutter Ketch Schooner",
                "Barge Tugboat Dredger Lighter",
                "Canoe Kayak Rowboat Dinghy",
                "Frigate Galleon Corvette Brigantine",
                "Trawler Whaler Steamer Packet",
            ),
        ),
        (
            "Chest",
            "Locked Tarred Oaken Banded Dusty",
            (
                "Coffer Trunk Casket Strongbox",
                "Barrel Cask Keg Hogshead",
                "Sack Satchel Pouch Duffel",
                "Basket Hamper Creel Pannier",
                "Jar Flask Urn Amphora",
            ),
        ),
        (
            "Trinket",
            "Silver Carved Tiny Polished Jade",
            (
                "Ring Bracelet Locket Brooch",
                "Coin Medal Token Ingot",
                "Bead Pearl Shell Amulet",
                "Compass Sextant Spyglass Hourglass",
                "Whistle Rattle Figurine Domino",
            ),
        ),
    ),
    (
        (
            "Estate",
            "Upper Hidden Autumn Sunny Quiet",
            (
                "Manor Villa Chateau Mansion",
                "Farmstead Ranch Grange Homestead",
                "Abbey Priory Cloister Convent",
                "Orchard Vineyard Arboretum Nursery",
                "Meadow Common Heath Pasture",
            ),
        ),
        (
            "Plot",
            "Walled Terraced Shaded Round Narrow",
            (
                "Lawn Terrace Courtyard Patio",
                "Greenhouse Conservatory Hothouse Orangery",
                "Rockery Grotto Fernery Hedgerow",
                "Allotment Parterre Border Seedbed",
                "Pergola Arbour Gazebo Pavilion",
            ),
        ),
        (
            "Holder",
            "Clay Glazed Cracked Mossy Copper",
            (
                "Pot Tub Bowl Cistern",
                "Trough Crate Box Tray",
                "Trellis Lattice Obelisk Frame",
                "Vase Pitcher Bucket Kettle",
                "Terrarium Cloche Vial Bottle",
            ),
        ),
        (
            "Plant",
            "Crimson Wild Dwarf Golden Scented",
            (
                "Rose Tulip Lily Dahlia",
                "Fern Moss Lichen Horsetail",
                "Basil Thyme Sage Mint",
                "Cactus Aloe Agave Yucca",
                "Ivy Clematis Jasmine Wisteria",
            ),
        ),
    ),
    (
        (
            "Quarter",
            "Lower Market River Eastern Busy",
            (
                "Borough Ward Parish Precinct",
                "Street Lane Alley Avenue",
                "Square Plaza Forum Arcade",
                "Embankment Esplanade Boulevard Promenade",
                "Bridgehead Gatehouse Crossroads Roundabout",
            ),
        ),
        (
            "Workshop",
            "Corner Noisy Cellar Family Modern",
            (
                "Smithy Forge Foundry Armoury",
                "Sawmill Joinery Cooperage Turnery",
                "Bakery Brewery Dairy Creamery",
                "Tannery Saddlery Ropewalk Dyehouse",
                "Printshop Bindery Papermill Typefoundry",
            ),
        ),
        (
            "Storage",
            "Tall Iron Varnished Folding Blue",
            (
                "Cabinet Cupboard Wardrobe Dresser",
                "Shelf Rack Ledge Stand",
                "Drawer Locker Bin Hutch",
                "Workbench Trestle Table Desk",
                "Cart Trolley Barrow Wagon",
            ),
        ),
        (
            "Tool",
            "Heavy Sharp Rusty Spare Brass",
            (
                "Hammer Mallet Sledge Maul",
                "Saw Chisel Plane Rasp",
                "Wrench Pliers Clamp Vice",
                "Needle Thimble Shears Bobbin",
                "Ruler Caliper Level Gauge",
            ),
        ),
    ),
    (
        (
            "Festival",
            "Summer Lantern Grand Village Midnight",
            (
                "Carnival Parade Pageant Procession",
                "Concert Recital Gala Matinee",
                "Fair Bazaar Jamboree Fete",
                "Regatta Tournament Rodeo Derby",
                "Banquet Feast Picnic Barbecue",
            ),
        ),
        (
            "Stage",
            "Wooden Floating Bright Velvet Outdoor",
            (
                "Platform Podium Rostrum Dais",
                "Theatre Playhouse Auditorium Amphitheatre",
                "Tent Marquee Canopy Awning",
                "Ballroom Hall Salon Lounge",
                "Bandstand Rotunda Gallery Balcony",
            ),
        ),
        (
            "Ensemble",
            "Merry Local Masked Famous Young",
            (
                "Quartet Trio Duet Sextet",
                "Choir Chorus Consort Schola",
                "Orchestra Philharmonic Sinfonia Band",
                "Troupe Circus Ballet Company",
                "Squad Brigade Regiment Guard",
            ),
        ),
        (
            "Instrument",
            "Antique Ivory Borrowed Tuned Miniature",
            (
                "Violin Cello Viola Fiddle",
                "Flute Oboe Clarinet Piccolo",
                "Trumpet Tuba Bugle Cornet",
                "Drum Cymbal Gong Tambourine",
                "Harp Lute Lyre Zither",
            ),
        ),
    ),
)
