// The table of bench/conformance-tfjs.md.
export function report(cases) {
  return JSON.stringify(cases, null, 1);
}
