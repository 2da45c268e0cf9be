#!/bin/sh
# Copy the licences and notices of every installed package: collect-notices.sh VENV TARGET
#
# Fails without the LiveKit Model License: no image with LiveKit's models may lack it.
set -eu
venv=$1 target=$2
packages=$(echo "$venv"/lib/python3*/site-packages)
mkdir -p "$target"
cd "$packages"
find . -path '*.dist-info/*' -type f \
    \( -iname '*licen[cs]e*' -o -iname '*notice*' -o -iname 'copying*' -o -iname 'authors*' \) |
    while IFS= read -r file; do
        package=${file#./}
        package=${package%%.dist-info/*}
        mkdir -p "$target/$package"
        cp "$file" "$target/$package/"
    done
if [ -z "$(find "$target" -name MODEL_LICENSE)" ]; then
    echo "collect-notices: livekit-local-inference came without its MODEL_LICENSE" >&2
    exit 1
fi
