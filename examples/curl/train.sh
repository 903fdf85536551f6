#!/usr/bin/env bash
# Uploads rows, trains a model on them, follows the job to its end and points the alias "stable" at the new version.
#   ./train.sh ROWS.npy NAME        ROWS.npy: pictures [rows, height, width] or [rows, height, width, 3] of uint8, or float32 rows
set -euo pipefail
url=${HOURGLASS_URL:-http://127.0.0.1:8080}
auth=(); [ -z "${HOURGLASS_API_KEY:-}" ] || auth=(-H "authorization: Bearer $HOURGLASS_API_KEY")
rows=$1 name=$2
call() { curl -sS --fail-with-body "${auth[@]}" "$@"; }
# says what was refused, which is in the body of the answer
checked() { local answer; answer=$(call "$@") || { echo "$answer" >&2; exit 22; }; }

checked "$url/v1/datasets?name=$name" -H 'content-type: application/octet-stream' --data-binary "@$rows"
job=$(call "$url/v1/jobs" -H 'content-type: application/json' -d '{
  "name": "'"$name"'", "dataset": "'"$name"'",
  "model": { "type": "dense", "code": 4, "hidden": [32] },
  "training": { "epochs": 3 } }' | sed 's/.*"id":"\([^"]*\)".*/\1/')
echo "job $job"

# Server-Sent Events: one "epoch" after each epoch, "end" with the job as it ended
call -N "$url/v1/jobs/$job/events" | while IFS= read -r line; do
  case $line in
    'event: '*) event=${line#event: } ;;
    'data: '*) [ "$event" != epoch ] || echo "epoch ${line#data: }" ;;
  esac
done
state=$(call "$url/v1/jobs/$job" | sed 's/.*"state":"\([^"]*\)".*/\1/')
[ "$state" = succeeded ] || { echo "the job $state"; exit 1; }

version=$(call "$url/v1/jobs/$job" | sed 's/.*"version":\([0-9]*\).*/\1/')
checked -X PUT "$url/v1/models/$name/aliases/stable" -H 'content-type: application/json' -d "{\"version\": $version}"
echo "$name:stable is version $version; its report: $url/v1/models/$name/versions/$version/files/report.html"
