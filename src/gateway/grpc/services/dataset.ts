/** DatasetService: data sets, built in and uploaded. */

import type { DatasetStore } from '../../../data/dataset.ts';
import type { DatasetService } from '../../../gen/hourglass/v1/dataset_pb.ts';
import { createDataset } from '../../upload.ts';
import { datasetMessage, readUpload } from '../messages/dataset.ts';
import type { Implementation } from '../service.ts';

export function datasetService(datasets: DatasetStore): Implementation<typeof DatasetService> {
  return {
    async listDatasets() {
      return { datasets: (await datasets.list()).map(datasetMessage) };
    },

    async getDataset({ name }) {
      return datasetMessage(await datasets.info(name));
    },

    async createDataset(requests, call) {
      const { head, parts } = await readUpload(requests);
      const { name, options } = head;
      const given = { ...(name !== undefined && { name }), ...(options !== undefined && { options }) };
      return datasetMessage(await createDataset(datasets, given, parts, call.signal));
    },

    async deleteDataset({ name }) {
      await datasets.delete(name);
      return {};
    },
  };
}
