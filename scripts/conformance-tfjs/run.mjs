// `npm run conformance:tfjs [part of a file name …]`: tfjs-core's own tests on the onnx engine. Without arguments it runs all of
// them and writes bench/conformance-tfjs.md; with arguments it prints every case that does not pass.
import { writeFileSync } from 'node:fs';
import { runCases, testFiles } from './cases.mjs';
import { report, ruleOf } from './report.mjs';

const wanted = process.argv.slice(2);
const files = testFiles().filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
const started = Date.now();
const cases = await runCases(files);
const count = (verdict) => cases.filter((c) => c.verdict === verdict).length;
for (const c of cases) {
  if (c.verdict === 'failed' || (wanted.length > 0 && c.verdict !== 'passed')) {
    console.log(`${c.verdict}: ${c.file} ${c.name}\n    ${c.reason}`);
  }
}
console.log(
  `${count('passed')} passed, ${count('failed')} failed, ${count('not applicable')} not applicable of ${cases.length} cases in ${files.length} files, ${Math.round((Date.now() - started) / 1000)} s`,
);
process.exitCode = cases.some((c) => c.verdict === 'failed' && !ruleOf(c.name)) ? 1 : 0;
if (wanted.length === 0) writeFileSync(new URL('../../bench/conformance-tfjs.md', import.meta.url), report(cases));
