import { describe, expect, it } from 'vitest';
import { lineChart, shown } from '../../src/report/chart.ts';

const points = (svg: string, series: number): number[][] =>
  (new RegExp(`class="s${series}" points="([^"]*)"`).exec(svg)?.[1] ?? '')
    .split(' ')
    .map((point) => point.split(',').map(Number));

describe('lineChart', () => {
  it('draws values upwards and epochs to the right', () => {
    const [first, second, third] = points(lineChart([{ name: 'loss', values: [3, 1, 2] }], 'loss'), 0);
    expect(first![1]).toBeLessThan(third![1]!);
    expect(third![1]).toBeLessThan(second![1]!);
    expect(second![0]! - first![0]!).toBeCloseTo(third![0]! - second![0]!, 0);
  });

  it('is logarithmic when values span a lot: equal factors are equal distances', () => {
    const [a, b, c] = points(lineChart([{ name: 'loss', values: [100, 10, 1] }], 'loss'), 0);
    expect(b![1]! - a![1]!).toBeCloseTo(c![1]! - b![1]!, 0);
    const [d, e, f] = points(lineChart([{ name: 'loss', values: [3, 2, 1] }], 'loss'), 0);
    expect(e![1]! - d![1]!).toBeCloseTo(f![1]! - e![1]!, 0);
  });

  it('copes with one epoch, equal values, and none', () => {
    for (const values of [[1], [2, 2, 2], [0, 0], [-1, 1]]) {
      const svg = lineChart([{ name: 'loss', values }], 'loss');
      expect(svg).not.toContain('NaN');
      expect(svg).not.toContain('Infinity');
      expect(points(svg, 0)).toHaveLength(values.length);
    }
    expect(lineChart([], 'loss')).toBe('');
  });

  it('labels the axis with round numbers', () => {
    const labels = [
      ...lineChart([{ name: 'loss', values: [0.19, 0.131] }], 'loss').matchAll(/text-anchor="end">([^<]*)</g),
    ].map((match) => match[1]);
    expect(labels).toEqual(['0.14', '0.16', '0.18']);
    expect([0.000123456, 1234.56, 0.1 + 0.2, 0].map(shown)).toEqual(['0.0001235', '1235', '0.3', '0']);
  });
});
