// The table of bench/conformance-tfjs.md from judged cases.
import { createRequire } from 'node:module';

const tfjs = createRequire(import.meta.url)('@tensorflow/tfjs-core/package.json').version;

/** Failures that are a rule of ONNX or of its runtime, by the case's name; every other failure is a bug. */
const rules = [
  [
    /^exp int32/,
    'ONNX Runtime rounds e¹⁰ to the neighbouring float32 (0.001 away); the test allows less than one step',
  ],
  [/^tan numbers exceed/, "ONNX Runtime's tangent is one float32 step away where it is 30,144; the test allows less"],
  [
    /^(max|min) return NaNs/,
    'ReduceMax and ReduceMin of ONNX Runtime pass over NaN; looking for it would cost a pass over memory',
  ],
  [
    /^gather throws when index is out/,
    'the values of indices are not known when the op is recorded; running it throws',
  ],
];

/** Why a kernel has no lowering. */
const reasons = [
  [/^(Complex|Real|Imag|FFT|IFFT|ComplexAbs)$/, 'ONNX has no complex numbers'],
  [/^(String\w*|StaticRegexReplace)$/, 'works on strings'],
  [/^(Unique|NonMaxSuppression\w*|Ragged\w*|Sparse\w*|BroadcastArgs)$/, 'the shape of the result depends on values'],
  [/^(FromPixels|Draw)$/, 'works on a canvas'],
  [/^Multinomial$/, 'draws random numbers; in a program they are feeds'],
];

function reasonOf(kernel) {
  return reasons.find(([pattern]) => pattern.test(kernel))?.[1] ?? 'not needed by any model so far';
}

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function notApplicable(cases) {
  const rows = new Map();
  for (const { reason } of cases) {
    const kernel = reason.match(/^The op (\w+) has no ONNX form here/)?.[1];
    const key = kernel
      ? reasonOf(kernel)
      : /works on (string|complex64)|makes a (string|complex64)/.test(reason)
        ? 'works on strings or complex numbers'
        : reason;
    const row = rows.get(key) ?? { count: 0, kernels: new Set() };
    row.count++;
    if (kernel) row.kernels.add(kernel);
    rows.set(key, row);
  }
  return [...rows]
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([reason, { count, kernels }]) => `| ${cell(reason)} | ${[...kernels].sort().join(', ') || '–'} | ${count} |`);
}

export const ruleOf = (name) => rules.find(([pattern]) => pattern.test(name))?.[1];

export function report(cases) {
  const of = (verdict) => cases.filter((c) => c.verdict === verdict);
  const [passed, failed, skipped] = ['passed', 'failed', 'not applicable'].map(of);
  const reached = passed.filter((c) => c.reached).length;
  const share = ((100 * passed.length) / (passed.length + failed.length)).toFixed(2);
  const files = [...new Set(cases.map((c) => c.file))].map((file) => {
    const own = cases.filter((c) => c.file === file);
    const count = (verdict) => own.filter((c) => c.verdict === verdict).length;
    return `| ${file.replace(/_test\.js$/, '')} | ${count('passed')} | ${count('failed')} | ${count('not applicable')} |`;
  });
  return `# tfjs-core's own tests on the \`onnx\` engine

Written by \`npm run conformance:tfjs\`: the tests that ship inside @tensorflow/tfjs-core ${tfjs}, run on the engine's
recording backend in its lazy mode, in which reading a tensor compiles what it depends on and runs it with ONNX Runtime.

**${passed.length} passed, ${failed.length} failed (${share} % of those that apply), ${skipped.length} not applicable.** Of the passed ones ${reached} compute something; the
others check how tfjs refuses wrong arguments. A case is not applicable when it needs an op or a type that has no ONNX form here.

## Failed

| case | why |
| --- | --- |
${failed.map((c) => `| ${cell(c.name)} | ${cell(ruleOf(c.name) ?? `a bug: ${c.reason}`)} |`).join('\n') || '| none | |'}

## Not applicable

| reason | ops | cases |
| --- | --- | --- |
${notApplicable(skipped).join('\n')}

## By file

| tests | passed | failed | not applicable |
| --- | --- | --- | --- |
${files.join('\n')}
`;
}
