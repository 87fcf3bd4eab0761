#!/usr/bin/env bash
# Runs shellcheck over every shell script that git knows or would add (.shellcheckrc).
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts=()
while IFS= read -r -d '' file; do
    [ -f "$file" ] || continue
    case $file in
    *.sh) scripts+=("$file") ;;
    */*.*) ;;
    *) if head -n 1 "$file" | tr -d '\0' | grep -qE '^#!.*\b(ba)?sh\b'; then scripts+=("$file"); fi ;;
    esac
done < <(git ls-files -z --cached --others --exclude-standard)
[ ${#scripts[@]} -gt 0 ] || {
    echo "shell.sh: there are no scripts" >&2
    exit 1
}
shellcheck "${scripts[@]}"
echo "shell: ok (${#scripts[@]} scripts)"
