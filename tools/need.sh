# Sourced by demo.sh and test.sh: installs Debian packages that are missing.
#
#   need COMMAND_OR_FILE=PACKAGE ...
#
# Each argument names what must be there (a command, or a path with * in it) and the package that brings it.

need() {
    local missing=() pair what package
    for pair in "$@"; do
        what=${pair%%=*}
        package=${pair#*=}
        case $what in
        /*) compgen -G "$what" >/dev/null || missing+=("$package") ;;
        *) command -v "$what" >/dev/null || [ -x "/usr/sbin/$what" ] || missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "== Installing ${missing[*]}"
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "Missing: ${missing[*]}. Install them, or run this as root or with sudo." >&2
            exit 1
        }
        root=(sudo)
    fi
    if ! "${root[@]}" apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
        "${root[@]}" apt-get update
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    fi
}

# Rust may be installed for this user without being on the PATH.
need_rust() {
    command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
    command -v cargo >/dev/null || {
        echo "Rust 1.85 or later is needed: https://rustup.rs, or a Debian package such as rustc-web" >&2
        exit 1
    }
}
