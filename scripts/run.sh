#!/bin/sh
# Runs a command of this project with the pinned Node.js, after installing what is missing:
#   sh scripts/run.sh node --version
# so that `npm start` and `npm test` work as the first command after a clone.
set -eu
fresh=
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
stamp=node_modules/.installed
if [ ! -f "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
  echo "convoy: installing the npm packages of package-lock.json ..." >&2
  npm ci --loglevel=error >&2
  fresh=yes
fi
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) echo "convoy: no pinned Node.js for $(uname -m); supported: x86_64, aarch64" >&2; exit 1 ;;
esac
PATH="$root/node_modules/node-linux-$arch/bin:$root/node_modules/.bin:$PATH"
export PATH
if [ -n "$fresh" ]; then
  node scripts/build.ts >&2
  : >"$stamp"
fi
exec "$@"
