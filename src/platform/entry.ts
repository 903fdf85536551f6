/**
 * Where threads and child processes start. They always run compiled code: when the caller itself is TypeScript source (as
 * in the tests), its neighbour is looked up in the build.
 */

/** `entry(import.meta.url, './thread.ts')` is the URL of the compiled neighbour. */
export function entry(caller: string, neighbour: string): URL {
  const compiled = neighbour.replace(/\.ts$/, '.js');
  const base = caller.endsWith('.ts') ? caller.replace(/\/src\/(?!.*\/src\/)/, '/dist/') : caller;
  return new URL(compiled, base);
}
