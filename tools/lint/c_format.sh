#!/usr/bin/env bash
# The form of hand-written C and C++ is clang-format's (.clang-format).
#
#   c_format.sh          fails where it is not
#   c_format.sh --fix    brings it into that form
set -euo pipefail
cd "$(dirname "$0")/../.."

# include/ is generated, from parts that look as it does; what the ABI check compiles is written like the headers it tries.
mapfile -d '' -t all < <(git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' '*.cpp' ':!include/' ':!tests/abi/' \
    ':!tools/headers/parts/')
sources=()
for file in "${all[@]}"; do
    [ -f "$file" ] && sources+=("$file")
done
[ ${#sources[@]} -gt 0 ] || {
    echo "c_format.sh: there are no C files" >&2
    exit 1
}
case ${1:-} in
'') clang-format --dry-run -Werror "${sources[@]}" ;;
--fix) clang-format -i "${sources[@]}" ;;
*)
    echo "usage: c_format.sh [--fix]" >&2
    exit 2
    ;;
esac
