/** RegistryService: published versions, their aliases and files. */

import type { RegistryService } from '../../../gen/hourglass/v1/registry_pb.ts';
import type { Places } from '../../places.ts';
import { fileMessage, modelMessage, versionMessage } from '../messages/model.ts';
import type { Implementation } from '../service.ts';

export function registryService(downloads: Places): Implementation<typeof RegistryService> {
  return {
    async listModels(_request, { tenant: { registry } }) {
      const names = await registry.listModels();
      const read = await Promise.allSettled(names.map((name) => registry.getModel(name)));
      // A model that was deleted in between is no longer there.
      return { models: read.flatMap((result) => (result.status === 'fulfilled' ? [modelMessage(result.value)] : [])) };
    },

    async getModel({ name }, { tenant: { registry } }) {
      return modelMessage(await registry.getModel(name));
    },

    async getVersion({ name, version }, { tenant: { registry } }) {
      return versionMessage(await registry.resolve(`${name}@${version}`));
    },

    async setAlias({ name, alias, version }, { caller, tenant: { registry } }) {
      await registry.setAlias(name, alias, version, caller.subject);
      return modelMessage(await registry.getModel(name));
    },

    async deleteAlias({ name, alias }, { caller, tenant: { registry } }) {
      await registry.deleteAlias(name, alias, caller.subject);
      return {};
    },

    async shareModel({ name, shared }, { tenant: { registry } }) {
      await registry.share(name, shared);
      return modelMessage(await registry.getModel(name));
    },

    async deleteVersion({ name, version, force }, { tenant: { registry } }) {
      await registry.deleteVersion(name, version, { force });
      return {};
    },

    async deleteModel({ name, force }, { caller, tenant: { registry } }) {
      await registry.deleteModel(name, { force, by: caller.subject });
      return {};
    },

    /** In pieces of 64 KiB, far below the 4 MiB that clients accept by default. */
    async *getFile({ name, version, path }, { client, tenant: { registry, quota } }) {
      const manifest = await registry.resolve(`${name}@${version}`);
      const giveBack = quota.takePlace(downloads, client);
      try {
        const file = await registry.openFile(manifest, path);
        try {
          yield { file: fileMessage(file.entry) };
          for await (const chunk of file.chunks()) yield { chunk };
        } finally {
          await file.close();
        }
      } finally {
        giveBack();
      }
    },
  };
}
