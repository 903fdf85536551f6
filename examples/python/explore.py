"""Looks at a model from Python: its codes of test rows, what it makes of them, PCA beside it, and the way between two rows.

    pip install requests numpy
    python explore.py MODEL            HOURGLASS_URL names the server, HOURGLASS_API_KEY is sent where it is set
"""

import os
import sys

import numpy as np
import requests

URL = os.environ.get("HOURGLASS_URL", "http://127.0.0.1:8080")
session = requests.Session()
if "HOURGLASS_API_KEY" in os.environ:
    session.headers["authorization"] = f"Bearer {os.environ['HOURGLASS_API_KEY']}"


def call(method, path, **options):
    answer = session.request(method, URL + path, **options)
    if not answer.ok:
        problem = answer.json()
        sys.exit(f"{problem['code']}: {problem['detail']}")
    return answer


def rows_of(answer):
    """float32 rows; the header has their shape."""
    shape = [int(side) for side in answer.headers["x-hourglass-shape"].split(",")]
    return np.frombuffer(answer.content, "<f4").reshape(shape)


def test_rows(dataset, limit):
    split = "test" if dataset["rows"]["test"] > 0 else "train"
    path = f"/v1/datasets/{dataset['name']}/rows?split={split}&limit={limit}"
    return rows_of(call("GET", path, headers={"accept": "application/octet-stream"}))


def predict(model, operation, rows):
    """Raw float32 in, raw float32 out: the fastest way for many rows."""
    kind = "application/octet-stream"
    body = np.ascontiguousarray(rows, "<f4").tobytes()
    return rows_of(
        call("POST", f"/v1/models/{model}/{operation}", data=body, headers={"content-type": kind, "accept": kind})
    )


def psnr(rows, back, span):
    error = np.mean((rows.reshape(len(rows), -1) - back.reshape(len(back), -1)) ** 2)
    return 10 * np.log10(span**2 / error)


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else "digits"
    newest = call("GET", f"/v1/models/{model}").json()["versions"][-1]
    dataset = call("GET", f"/v1/datasets/{newest['lineage']['dataset']['name']}").json()
    span = dataset["range"][1] - dataset["range"][0]
    rows = test_rows(dataset, 200)
    flat = rows.reshape(len(rows), -1)

    codes = predict(model, "encode", rows)
    back = predict(model, "decode", codes)
    size = int(np.prod(newest["codeShape"]))
    print(f"{model}@{newest['version']}: {flat.shape[1]} numbers to {size}, {psnr(flat, back, span):.2f} dB on {len(rows)} rows")

    # PCA with as many numbers, fitted on these very rows: an advantage that the model did not have
    mean = flat.mean(axis=0)
    axes = np.linalg.svd(flat - mean, full_matrices=False)[2][:size]
    pca = (flat - mean) @ axes.T @ axes + mean
    print(f"PCA of these rows with {size} numbers: {psnr(flat, pca, span):.2f} dB")

    # between the codes of two rows: seven steps, decoded
    first, second = codes.reshape(len(codes), -1)[:2]
    way = np.stack([first + t * (second - first) for t in np.linspace(0, 1, 7)])
    between = predict(model, "decode", way.reshape(7, *newest["codeShape"])).reshape(7, -1)
    print("from the first row to the second:", " ".join(f"{np.abs(step - flat[0]).mean():.3f}" for step in between))

    # one row as a frame: what a device would send
    frame_type = "application/vnd.hourglass.frame"
    if "codec" in newest:
        headers = {"content-type": "application/json", "accept": frame_type}
        frame = call("POST", f"/v1/models/{model}/encode", json={"inputs": [rows[0].tolist()]}, headers=headers).content
        decoded = rows_of(
            call("POST", "/decode", data=frame, headers={"content-type": frame_type, "accept": "application/octet-stream"})
        )
        print(f"a frame of {len(frame)} bytes: {psnr(flat[:1], decoded, span):.2f} dB")


main()
