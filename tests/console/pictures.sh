#!/usr/bin/env bash
# Makes docs/console*.png anew. E2E_HUB names the hub.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --silent
exec node pictures.mjs
