/** A noisy handwritten-looking digit for the examples of /docs: a PNG of 28 × 28 gray pixels. */

export const exampleDigit = Buffer.from(
  [
    'iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAACXBIWXMAAAPoAAAD6AG1e1JrAAABPklEQVQoz1VSgZHDMAhjGA3DMAzDMAzDML7zCzlO+r7W',
    'SQwIIdkQ5jAu6O8WcV5wDiy4JZ+ANju54Ux1R5bxZU79vHi63cUv9wfacBIeWAE3HJ1qqKDWQWO0atfaazPjJKgIaswQI7OtEGu7HMxjex4kZsSMFwokdzZr',
    'Rw28995v06lOX8siDcGC2n1oQFyYtvZADKznrdQsNec50uiTTVWFVwYqMgfcyRgcAKdr3PiAonszkV6EyHBo/sRlxt11zqe04jWCeSvDBXi9cbtjsWxh4I/q',
    'g+SPxhw+E+O8Cw3XcdZ3l6iBJmssvNfDqjcMn2TyBjKIhSNaM2kq/JnyIdpN1WpV09Ku/olwrUWqOxYlIC8KbMivqVp4gt7Vozt+6qWLesVzBxmP45T9J5Gf',
    '2z/9H02uHXgvsMSfb5c2f637rQLWSp7VAAAAAElFTkSuQmCC',
  ].join(''),
  'base64',
);
