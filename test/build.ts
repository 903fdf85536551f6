/** Before any test: builds dist/ where it is not the build of these sources, because child processes and threads run it. */
import { build } from '../scripts/build.mjs';

export default function setup(): void {
  build(() => console.log('building dist/ for the tests …'));
}
