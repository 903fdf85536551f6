/** How much a tenant's models take of what it may have. */

import { HourglassError } from '../base/errors.ts';
import type { Registry } from './registry.ts';

type Models = Pick<Registry, 'listModels' | 'getModel' | 'ownerOf' | 'tenant'>;

/**
 * Throws `quota-exceeded` when the versions that are there take as many bytes as the tenant may have. Those that it only reads are
 * not counted, nor damaged ones, which can only be deleted.
 */
export async function checkRoom(registry: Models, mostBytes: number): Promise<void> {
  let found = 0;
  for (const name of await registry.listModels()) {
    // Undefined when it was deleted meanwhile.
    const model = await registry.getModel(name).catch(notThere);
    for (const manifest of model?.versions ?? []) {
      if (registry.ownerOf(manifest) !== registry.tenant) continue;
      for (const { bytes } of manifest.files) found += bytes;
    }
  }
  if (found >= mostBytes) throw full(found, mostBytes);
}

function notThere(error: unknown): undefined {
  if (error instanceof HourglassError && error.code === 'model-not-found') return undefined;
  throw error;
}

const full = (found: number, most: number): HourglassError =>
  new HourglassError(
    'quota-exceeded',
    `The models of your tenant take ${found} bytes, and HOURGLASS_TENANT_MODEL_BYTES allows ${most}. Delete versions that nobody needs.`,
    { found, expected: most, retryAfter: 30, policy: { name: 'model-bytes', quota: most, unit: 'bytes' } },
  );
