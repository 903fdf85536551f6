/**
 * Before any test: builds dist/ where it is not the build of these sources, because child processes and threads run it, and the
 * S3 server that the tests of the store need.
 */
import { build } from '../scripts/build.mjs';
import { buildS3Server } from './helpers/s3.ts';

export default function setup(): void {
  build(() => console.log('building dist/ for the tests …'));
  buildS3Server();
}
