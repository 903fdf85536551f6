/**
 * Evaluates a model of pairs by its published file on test sources: how many of them are translated wrongly, and by how many symbols
 * the translations are off. A source may have several right targets; the nearest one counts.
 */

import { float32 } from '../base/ndarray.ts';
import { type SymbolTables, symbolsFile, textOf } from '../base/symbols.ts';
import type { DatasetInfo, Pairs, Split } from '../data/dataset.ts';
import { metricsOf, type Report, reportSchemaVersion, type TranslationScores } from '../figures/report.ts';
import type { PairFacts } from '../jobspec/pair-facts.ts';
import { Session } from '../runtime/session.ts';
import { editDistance } from './edit-distance.ts';
import type { Evaluation, EvaluationFacts } from './evaluation.ts';
import { reportHtml } from './html.ts';

export interface TranslationEvaluation extends EvaluationFacts {
  readonly info: DatasetInfo;
  readonly facts: PairFacts;
  readonly pairs: Pairs;
  readonly test: Split;
  /** translator.onnx */
  readonly translator: Uint8Array;
  readonly codeSize: number;
  readonly parameters: number;
}

/** test sources that are translated, the first ones */
const mostTranslated = 20_000;
const batch = 64;
const shown = 30;
const shownConfusions = 12;

/** A test source and all of its targets, as numbers of symbols. */
interface Question {
  readonly source: readonly number[];
  readonly targets: (readonly number[])[];
}

export async function evaluateTranslations(options: TranslationEvaluation): Promise<Evaluation> {
  const { spec, info, facts, pairs, codeSize, epochs, origin, parameters } = options;
  const tables = await pairs.symbols();
  const questions = await questionsOf(options);
  const asked = questions.slice(0, mostTranslated);
  const scores = asked.length > 0 ? await score(options, asked, tables) : undefined;
  const notes =
    asked.length === 0 ? ['The data set has no pairs held out for testing, so nothing could be measured.'] : [];
  if (asked.length < questions.length)
    notes.push(`Measured on the first ${asked.length} of ${questions.length} test sources.`);
  const report: Report = {
    schema: reportSchemaVersion,
    model: { name: spec.name, type: spec.model.type, codeShape: [codeSize], parameters },
    dataset: {
      ...{ name: info.name, hash: info.hash, shape: [...info.shape] },
      ...{ trainRows: facts.sources.train, testRows: asked.length },
    },
    seed: spec.training.seed,
    ...(origin && { origin }),
    notes,
    epochs: epochs.map(({ phase, epoch, metrics }) => ({ phase, epoch, metrics: { ...metrics } })),
    ...(scores && { translation: scores }),
  };
  return {
    report,
    metrics: metricsOf(report),
    files: {
      [symbolsFile]: Buffer.from(JSON.stringify(tables)),
      'report.json': Buffer.from(`${JSON.stringify(report, null, 2)}\n`),
      'report.html': Buffer.from(reportHtml(report, spec)),
    },
  };
}

/** Rows with the same source are one question. */
async function questionsOf({ test, facts }: TranslationEvaluation): Promise<Question[]> {
  const values = new Float32Array(test.length * test.rowSize);
  await test.readRange(0, test.length, values);
  const found = new Map<string, Question>();
  const numbers = (part: Float32Array): number[] => Array.from(part).filter((number) => number > 0);
  for (let row = 0; row < test.length; row++) {
    const own = values.subarray(row * test.rowSize, (row + 1) * test.rowSize);
    const source = numbers(own.subarray(0, facts.sourceLength));
    const key = source.join(' ');
    const question = found.get(key) ?? { source, targets: [] };
    question.targets.push(numbers(own.subarray(facts.sourceLength)));
    found.set(key, question);
  }
  return [...found.values()];
}

async function score(
  { facts, translator, threads, signal }: TranslationEvaluation,
  questions: readonly Question[],
  tables: SymbolTables,
): Promise<TranslationScores> {
  const session = Session.create(translator, { threads });
  let [wrong, wrongInBest, errors, symbols] = [0, 0, 0, 0];
  const lengths = new Map<number, { sources: number; wrong: number }>();
  const confusions = new Map<string, number>();
  const examples: TranslationScores['examples'] = [];
  const name = (numbers: readonly number[]): string =>
    textOf(
      numbers.map((number) => tables.target.symbols[number - 1] ?? ''),
      tables.target.units,
    );
  try {
    for (let start = 0; start < questions.length; start += batch) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      const own = questions.slice(start, start + batch);
      const x = new Float32Array(own.length * facts.sourceLength);
      for (const [i, { source }] of own.entries()) x.set(source, i * facts.sourceLength);
      const { y } = session.runSync({ x: float32([own.length, facts.sourceLength], x) });
      if (!y) throw new Error('a translator answers targets');
      const found = y.data as Float32Array;
      const [, beams = 1, width = 1] = y.shape;
      for (const [i, { source, targets }] of own.entries()) {
        const answers = Array.from({ length: beams }, (_, beam) => {
          const at = (i * beams + beam) * width;
          const numbers = Array.from(found.subarray(at, at + width - 1), Math.round);
          const end = numbers.indexOf(0);
          return end < 0 ? numbers : numbers.slice(0, end);
        });
        const [first = []] = answers;
        const nearest = targets
          .map((target) => ({ target, distance: editDistance(first, target) }))
          .reduce((a, b) => (b.distance < a.distance ? b : a));
        const isWrong = nearest.distance > 0;
        if (isWrong) wrong++;
        if (!answers.some((answer) => targets.some((target) => editDistance(answer, target) === 0))) wrongInBest++;
        errors += nearest.distance;
        symbols += nearest.target.length;
        const group = lengths.get(source.length) ?? { sources: 0, wrong: 0 };
        lengths.set(source.length, { sources: group.sources + 1, wrong: group.wrong + (isWrong ? 1 : 0) });
        if (isWrong && first.length === nearest.target.length) {
          for (const [at, number] of first.entries()) {
            const right = nearest.target[at] as number;
            if (right === number) continue;
            const key = `${right} ${number}`;
            confusions.set(key, (confusions.get(key) ?? 0) + 1);
          }
        }
        if (examples.length < shown) {
          examples.push({
            source: textOf(
              source.map((number) => tables.source.symbols[number - 1] ?? ''),
              tables.source.units,
            ),
            target: name(first),
            right: [...new Set(targets.map(name))],
          });
        }
      }
    }
  } finally {
    session.dispose();
  }
  return {
    ...{ sources: questions.length, sequenceErrors: wrong / questions.length },
    ...{ bestErrors: wrongInBest / questions.length, symbolErrors: errors / Math.max(1, symbols) },
    lengths: [...lengths]
      .sort(([a], [b]) => a - b)
      .map(([length, { sources, wrong: own }]) => ({ length, sources, wrong: own })),
    confusions: [...confusions]
      .sort(([, a], [, b]) => b - a)
      .slice(0, shownConfusions)
      .map(([key, count]) => {
        const [right = '', answered = ''] = key
          .split(' ')
          .map((number) => tables.target.symbols[Number(number) - 1] ?? '');
        return { right, answered, count };
      }),
    examples,
  };
}
