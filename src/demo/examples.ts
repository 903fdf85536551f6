/** Digits as strokes of points in the unit square, from the top left. */

type Stroke = readonly (readonly [x: number, y: number])[];

/** Points of an ellipse's arc, in turns: 0 is to the right, a quarter is down. */
const arc = (x: number, y: number, rx: number, ry: number, from: number, to: number): Stroke =>
  Array.from({ length: 33 }, (_, i) => {
    const angle = 2 * Math.PI * (from + ((to - from) * i) / 32);
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)] as const;
  });

export const examples: readonly (readonly Stroke[])[] = [
  [[...arc(0.5, 0.33, 0.17, 0.15, -0.45, 0.2), ...arc(0.49, 0.65, 0.2, 0.18, -0.22, 0.42)]],
  [[...arc(0.5, 0.36, 0.18, 0.17, -0.45, 0.08), [0.32, 0.82], [0.36, 0.8], [0.72, 0.81]]],
  [
    [
      [0.3, 0.22],
      [0.7, 0.2],
      [0.55, 0.45],
      [0.44, 0.82],
    ],
    [
      [0.4, 0.52],
      [0.64, 0.5],
    ],
  ],
  [
    [
      [0.36, 0.2],
      [0.32, 0.52],
      [0.66, 0.5],
    ],
    [
      [0.64, 0.2],
      [0.6, 0.84],
    ],
  ],
  [arc(0.5, 0.5, 0.19, 0.3, -0.3, 0.7)],
  [[...arc(0.52, 0.34, 0.16, 0.15, 0, -1), [0.68, 0.36], [0.64, 0.62], [0.58, 0.84]]],
];
