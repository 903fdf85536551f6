#!/usr/bin/env bash
# A picture to a frame of a few bytes, and the frame to a picture.
#   ./frame.sh PICTURE.png MODEL FRAME.hgf DECODED.png
set -euo pipefail
url=${HOURGLASS_URL:-http://127.0.0.1:8080}
auth=(); [ -z "${HOURGLASS_API_KEY:-}" ] || auth=(-H "authorization: Bearer $HOURGLASS_API_KEY")
frame_type=application/vnd.hourglass.frame

curl -sS --fail-with-body "${auth[@]}" "$url/v1/models/$2/encode?resize=true" \
  -H 'content-type: image/png' -H "accept: $frame_type" --data-binary "@$1" -o "$3"
echo "$(wc -c < "$1") bytes of PNG, $(wc -c < "$3") bytes of frame"
# the frame names its decoder, so no model is given
curl -sS --fail-with-body "${auth[@]}" "$url/decode" \
  -H "content-type: $frame_type" -H 'accept: image/png' --data-binary "@$3" -o "$4"
