#!/bin/sh
# A Chromium for the browser tests. Its headless shell, which takes half the time of a whole one, is installed where
# that asks nobody for a password; where there is no Chromium at all, one is installed in any case.
set -eu
bin=$1

there() {
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then
            echo "browser tests use $(command -v "$name")"
            return 0
        fi
    done
    return 1
}

package() {
    sudo=$(command -v sudo || true)
    $sudo apt-get update -qq && $sudo apt-get install -y -qq "$1"
}

there chromium-headless-shell && exit
[ "$(id -u)" != 0 ] && there chromium chromium-browser google-chrome && exit

if "$bin/playwright" install --only-shell chromium; then
    "$bin/playwright" install-deps chromium
    exit
fi

echo "Playwright's own Chromium cannot be had here; looking among the system's packages."
package chromium-headless-shell || there chromium chromium-browser google-chrome || package chromium
