import { describe, expect, it } from 'vitest';
import { lineChart, type Series } from '../../src/figures/line-chart.ts';
import { toHtml } from '../../src/figures/markup.ts';
import { short } from '../../src/figures/parts.ts';

const drawn = (series: readonly Series[]): string => toHtml(lineChart(series, 'loss'));

const points = (svg: string, series: number): number[][] =>
  (new RegExp(`class="c${series + 1}" points="([^"]*)"`).exec(svg)?.[1] ?? '')
    .split(' ')
    .map((point) => point.split(',').map(Number));

describe('lineChart', () => {
  it('draws values upwards and epochs to the right', () => {
    const [first, second, third] = points(drawn([{ name: 'loss', values: [3, 1, 2] }]), 0);
    expect(first![1]).toBeLessThan(third![1]!);
    expect(third![1]).toBeLessThan(second![1]!);
    expect(second![0]! - first![0]!).toBeCloseTo(third![0]! - second![0]!, 0);
  });

  it('is logarithmic when values span a lot: equal factors are equal distances', () => {
    const [a, b, c] = points(drawn([{ name: 'loss', values: [100, 10, 1] }]), 0);
    expect(b![1]! - a![1]!).toBeCloseTo(c![1]! - b![1]!, 0);
    const [d, e, f] = points(drawn([{ name: 'loss', values: [3, 2, 1] }]), 0);
    expect(e![1]! - d![1]!).toBeCloseTo(f![1]! - e![1]!, 0);
  });

  it('copes with one epoch, equal values, and none', () => {
    for (const values of [[1], [2, 2, 2], [0, 0], [-1, 1]]) {
      const svg = drawn([{ name: 'loss', values }]);
      expect(svg).not.toContain('NaN');
      expect(svg).not.toContain('Infinity');
      expect(points(svg, 0)).toHaveLength(values.length);
    }
    expect(drawn([])).toBe('');
  });

  it('labels the axis with round numbers', () => {
    const labels = [...drawn([{ name: 'loss', values: [0.19, 0.131] }]).matchAll(/text-anchor="end">([^<]*)</g)].map(
      (match) => match[1],
    );
    expect(labels).toEqual(['0.14', '0.16', '0.18']);
    const wide = drawn([{ name: 'loss', values: [1.2, 0.4, 0.03] }]);
    expect([...wide.matchAll(/text-anchor="end">([^<]*)</g)].map((match) => match[1])).toEqual([
      ...['0.05', '0.1', '0.2', '0.5', '1'],
    ]);
    expect([0.000123456, 1234.56, 0.1 + 0.2, 0].map(short)).toEqual(['0.0001235', '1235', '0.3', '0']);
  });
});
