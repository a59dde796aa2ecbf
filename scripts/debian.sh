# What our scripts ask of the machine: commands that are missing are installed from Debian's packages.
# Sourced, never run.

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }

note() { printf '   %s\n' "$*" >&2; }

give_up() { printf '\n%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# install <package>…: with apt-get, as root or through sudo; says so when neither is possible.
install() {
  command -v apt-get >/dev/null || give_up "please install: $* (this machine has no apt-get)"
  local root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || give_up "please install, as root: apt-get install $*"
    root=(sudo)
  fi
  say "installing $*"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The toolchain comes from rustup, the C compiler (SQLite is compiled in, and Rust links with it) from Debian.
need_toolchain() {
  [ -d "$HOME/.cargo/bin" ] && PATH="$HOME/.cargo/bin:$PATH"
  command -v cargo >/dev/null || give_up "no cargo found; install Rust with https://rustup.rs and run me again"
  command -v cc >/dev/null || install gcc libc6-dev
}

# timed <command>…: runs it and leaves its duration in $took.
timed() {
  local began=$SECONDS result=0
  "$@" || result=$?
  took=$((SECONDS - began))
  return "$result"
}
