# shellcheck shell=sh
# Sourced: brings Debian packages, for .ci/run and for the scripts that start servers.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# install_packages NAME...: from Debian, when this user may; says what to do when not.
install_packages() {
  echo "Installing: $*" >&2
  # A second script may be installing just now: wait for it instead of failing.
  if ! { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@"; } >/dev/null; then
    echo "Could not install $*; install them and run this again." >&2
    return 1
  fi
}
