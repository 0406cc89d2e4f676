#!/bin/sh
# Obtains the lwIP source tree and prints nothing but errors: fetch.sh DEST
#
# lwIP 2.2.1 comes from the Debian source package of trixie (2.2.1+dfsg1), by
# apt itself: a deb-src list of our own, with the mirror that this machine
# already uses, read into directories of our own. The system's sources, package
# lists and caches are neither read for it nor written, so no root is needed.
# The tarball is kept in ${GATUN_CACHE:-~/.cache/gatun}; a file that is there
# with the right SHA-256 is used without any network. Nothing else is accepted.
set -eu

DEST=$1
VERSION=2.2.1+dfsg1
TARBALL=lwip_$VERSION.orig.tar.xz
SHA256=83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1
CACHE=${GATUN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp/gatun-$(id -u)}/.cache}/gatun}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

fail() { echo "lwip: $*" >&2; exit 1; }
good() { [ -f "$1" ] && echo "$SHA256  $1" | sha256sum --check --status; }

# The archive that holds the suites; a security mirror or a third party's
# repository would not have the package. apt prints them in the order of the lists.
mirror() {
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		grep -E '/debian/?$' | head -n 1 | grep . || echo http://deb.debian.org/debian
}

fetch() {
	command -v apt-get >/dev/null || fail "no apt-get here: give an lwIP 2.2.1 tree with -DLWIP_SOURCE_DIR="
	archive=$(mirror)
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	# apt drops to user _apt when it runs as root, who must reach the directory
	chmod 755 "$work"
	mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial" "$work/get"
	[ "$(id -u)" != 0 ] || chown _apt "$work/lists/partial" "$work/get" 2>/dev/null || true
	# This machine's settings (proxies), but not its hooks, which may tidy the system's caches
	apt-config dump | grep -vi invoke >"$work/apt.conf"
	printf 'Dir::Etc::parts "%s";\nDir::Etc::main "/dev/null";\n' "$work/parts" >>"$work/apt.conf"
	export APT_CONFIG="$work/apt.conf"
	echo "deb-src [signed-by=$KEYRING] $archive trixie main" >"$work/sources.list"
	set -- -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts="$work/parts" \
		-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Acquire::Languages=none \
		-o Acquire::Retries=3 -o Dpkg::Use-Pty=0
	apt-get "$@" update >&2 || fail "apt-get update of the source list failed (network?)"
	(cd "$work/get" && apt-get "$@" --download-only --only-source source lwip >&2) || fail "apt-get source lwip failed"
	good "$work/get/$TARBALL" || fail "$TARBALL has another SHA-256 than $SHA256, or is not there"
	cp "$work/get/$TARBALL" "$CACHE/$TARBALL.$$" && mv "$CACHE/$TARBALL.$$" "$CACHE/$TARBALL"
}

mkdir -p "$CACHE"
good "$CACHE/$TARBALL" || fetch
rm -rf "$DEST.tmp" && mkdir -p "$DEST.tmp"
tar -xJf "$CACHE/$TARBALL" -C "$DEST.tmp" --strip-components=1
rm -rf "$DEST" && mv "$DEST.tmp" "$DEST"
