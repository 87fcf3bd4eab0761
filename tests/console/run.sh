#!/usr/bin/env bash
# Tries the hub's console in headless Chromium. Pictures of it are left in build/console.
# E2E_HUB and E2E_KEY_DIR name what was built: `./test.sh console` builds it and calls this.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --silent
exec npm test --silent
