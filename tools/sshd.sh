#!/usr/bin/env bash
# Prints where OpenSSH's server is. Where this machine has none it is unpacked into target/tools: installed, it would listen
# on port 22 from then on. What it links beside openssh-client is libwrap0.
set -euo pipefail
cd "$(dirname "$0")/.."
sshd=/usr/sbin/sshd
if [ ! -x "$sshd" ]; then
    folder=$PWD/target/tools/openssh
    sshd=$folder/usr/sbin/sshd
    if [ ! -x "$sshd" ]; then
        mkdir -p "$folder"
        (cd "$folder" && apt-get download -q openssh-server >&2 && dpkg -x openssh-server_*.deb .)
    fi
fi
# Root's server gives its rights up to this user, whom the package makes when it is installed.
if [ "$(id -u)" = 0 ] && ! getent passwd sshd >/dev/null; then
    useradd --system --no-create-home --home-dir /run/sshd --shell /usr/sbin/nologin sshd >&2
fi
echo "$sshd"
