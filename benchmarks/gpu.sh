#!/usr/bin/env bash
# What physlm makes of one GPU, in at most eight minutes: `bash benchmarks/gpu.sh`.
# Each part is a process with a limit, so that one that hangs or fails leaves the others their time.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)
fi
output=benchmarks/out/gpu.json

# Seconds at most, start included; the part; what it measures.
plan="\
45 gpu_tiny        a training step of 2 layers, d 32: CUDA graph against eager, tokens/s, MFU
45 gpu_a           the same of 2 layers, d 128
45 gpu_b           the same of 4 layers, d 256
50 gpu_c           the same of 12 layers, d 768, 8 tokens
65 gpu_gpt2-12-12  the same of GPT-2 small, 50,304 tokens
85 replicas        50 seeds of a small run in one program, against one after the other
65 gpu_capacity    the first 30 of 1000 exposures of +experiment=capacity_1000x scale=gpu"

measure() { # SECONDS FILE ARGUMENT...
    # In the foreground, so that Ctrl-C reaches the part.
    timeout --foreground --kill-after=2 "$1" "$PYTHON" -m benchmarks --output "${@:2}"
}

# Without a GPU this is all; with one, rows of an earlier day end here, as they are not of this run.
new=$(mktemp -d)
trap 'rm -r "$new"' EXIT
said=$(measure 45 "$new/gpu.json" gpu_ceiling 2>&1)
status=$?
if [ "$status" -ne 0 ]; then
    [ "$status" -eq 124 ] && said="error: no answer from the GPU within 45 s; try again on a machine that is not busy"
    tail -n 1 <<<"$said" >&2
    exit "$status"
fi
mv "$new/gpu.json" "$output"

echo "One GPU, about five minutes, at most eight. A table comes at the end; rows: $output"
echo "Seconds at most, part, what is measured:"
sed 's/^/  /' <<<"$plan"
failed=0
while read -r seconds part what; do
    echo "== $part: $what"
    measure "$seconds" "$output" "$part" </dev/null >"$new/$part" 2>&1
    status=$?
    if [ "$status" -ne 0 ]; then
        failed=1
        reason="status $status: $(tail -n 1 "$new/$part")"
        [ "$status" -eq 124 ] && reason="not finished after $seconds s"
        echo "   $reason; the table has its rows so far" >&2
    fi
done <<<"$plan"
measure 15 "$output" --show
exit "$failed"
