#!/bin/sh
# A Chromium for the browser tests: one that is there, else Playwright's own, else the system's package.
set -eu
bin=$1

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then
        echo "browser tests use $(command -v "$name")"
        exit 0
    fi
done

if "$bin/playwright" install chromium; then
    "$bin/playwright" install-deps chromium
    exit 0
fi

echo "Playwright's own Chromium cannot be had here; installing the system's."
sudo=$(command -v sudo || true)
$sudo apt-get update -qq
$sudo apt-get install -y -qq chromium
