#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpack QEMU 10 from bookworm-backports into the user's cache, without installing it.
# Nothing is added to the package sources: without backports this says what to add.
set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/microai/qemu10
version=$(apt-cache madison qemu-system-arm 2>/dev/null | awk '$3 ~ /^1:10\./ { print $3; exit }')
if [ -z "$version" ]; then
    echo "qemu10: no QEMU 10 in the package sources; add this line to /etc/apt/sources.list.d/backports.list" >&2
    echo "  deb http://deb.debian.org/debian bookworm-backports main" >&2
    echo "then run: apt-get update && make qemu10" >&2
    exit 5
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The emulator, its data, and those of its libraries that are not installed.
packages="qemu-system-arm=$version qemu-system-common=$version qemu-system-data=$version"
needed=$(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "qemu-system-arm=$version" | awk '$1 == "Depends:" { print $2 }' | grep '^lib')
for library in $needed; do
    dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q '^install ok' || packages="$packages $library"
done
apt-get download -qq $packages
mkdir root
for package in *.deb; do dpkg-deb -x "$package" root; done

rm -rf "$cache"
mkdir -p "$(dirname "$cache")"
mv root "$cache"
libraries=$(find "$cache/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' | head -n 1)
cat >"$cache/qemu-system-arm" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$libraries exec $cache/usr/bin/qemu-system-arm -L $cache/usr/share/qemu "\$@"
WRAPPER
chmod +x "$cache/qemu-system-arm"
"$cache/qemu-system-arm" --version | head -n 1
echo "use it: --qemu $cache/qemu-system-arm, or MICROAI_QEMU"
