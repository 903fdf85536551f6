/** How well scores tell anomalous series from ordinary ones. */

import type { Static } from 'typebox';
import type { AnomalyScores } from '../figures/report.ts';

interface Scored {
  readonly scores: readonly number[];
  readonly anomalous: readonly boolean[];
}

type Measured = Static<typeof AnomalyScores>;

/** Anomalies are what is to be found: precision, recall and F1 are theirs. */
export function anomalyScores({ scores, anomalous }: Scored, threshold: number): Measured {
  let [found, flagged] = [0, 0];
  for (const [i, score] of scores.entries()) {
    if (score <= threshold) continue;
    flagged++;
    if (anomalous[i]) found++;
  }
  const all = anomalous.filter(Boolean).length;
  const ordinary = anomalous.length - all;
  return {
    precision: flagged > 0 ? found / flagged : 0,
    recall: all > 0 ? found / all : 0,
    f1: flagged + all > 0 ? (2 * found) / (flagged + all) : 0,
    falseAlarms: ordinary > 0 ? (flagged - found) / ordinary : 0,
    auroc: areaUnderCurve({ scores, anomalous }),
  };
}

/** Share of pairs in which the anomalous one scores higher; half for equals. */
function areaUnderCurve({ scores, anomalous }: Scored): number {
  const order = scores.map((score, i) => ({ score, out: anomalous[i] as boolean })).sort((a, b) => a.score - b.score);
  const all = order.filter(({ out }) => out).length;
  const ordinary = order.length - all;
  if (all === 0 || ordinary === 0) return 0.5;
  let [rankSum, i] = [0, 0];
  while (i < order.length) {
    let j = i;
    while (j < order.length && order[j]?.score === order[i]?.score) j++;
    for (let at = i; at < j; at++) if (order[at]?.out) rankSum += (i + j + 1) / 2;
    i = j;
  }
  return (rankSum - (all * (all + 1)) / 2) / (all * ordinary);
}
