/** RegistryService: published versions, their aliases and files. */

import { HourglassError } from '../../../base/errors.ts';
import type { RegistryService } from '../../../gen/hourglass/v1/registry_pb.ts';
import type { Registry } from '../../../registry/registry.ts';
import { fileMessage, modelMessage, versionMessage } from '../messages/model.ts';
import type { Implementation } from '../service.ts';

/** Far below the 4 MiB that clients accept by default. */
const chunkBytes = 256 * 1024;

export function registryService(registry: Registry): Implementation<typeof RegistryService> {
  return {
    async listModels() {
      const names = await registry.listModels();
      const read = await Promise.allSettled(names.map((name) => registry.getModel(name)));
      // A model that was deleted in between is no longer there.
      return { models: read.flatMap((result) => (result.status === 'fulfilled' ? [modelMessage(result.value)] : [])) };
    },

    async getModel({ name }) {
      return modelMessage(await registry.getModel(name));
    },

    async getVersion({ name, version }) {
      return versionMessage(await registry.resolve(`${name}@${version}`));
    },

    async setAlias({ name, alias, version }) {
      await registry.setAlias(name, alias, version);
      return modelMessage(await registry.getModel(name));
    },

    async deleteAlias({ name, alias }) {
      await registry.deleteAlias(name, alias);
      return {};
    },

    async deleteVersion({ name, version, force }) {
      await registry.deleteVersion(name, version, { force });
      return {};
    },

    async deleteModel({ name, force }) {
      await registry.deleteModel(name, { force });
      return {};
    },

    async *getFile({ name, version, path }) {
      const manifest = await registry.resolve(`${name}@${version}`);
      const bytes = await registry.readFile(manifest, path);
      const entry = manifest.files.find((file) => file.path === path);
      if (!entry) throw new HourglassError('file-not-found', `${name}@${version} has no such file.`);
      yield { file: fileMessage(entry) };
      for (let start = 0; start < bytes.length; start += chunkBytes) {
        yield { chunk: bytes.subarray(start, start + chunkBytes) };
      }
    },
  };
}
