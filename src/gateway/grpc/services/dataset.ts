/** DatasetService: data sets, built in and uploaded. */

import type { DatasetStore } from '../../../data/dataset.ts';
import type { CreateDatasetRequest, DatasetService } from '../../../gen/hourglass/v1/dataset_pb.ts';
import type { Metrics } from '../../../platform/metrics.ts';
import type { JobQueue } from '../../../queue/job-queue.ts';
import { createDataset, deleteDataset } from '../../datasets.ts';
import { datasetMessage, readUpload } from '../messages/dataset.ts';
import type { Implementation } from '../service.ts';

export interface DatasetParts {
  readonly datasets: DatasetStore;
  /** knows which jobs use a set */
  readonly queue: JobQueue;
  readonly metrics: Metrics;
}

export function datasetService({ datasets, queue, metrics }: DatasetParts): Implementation<typeof DatasetService> {
  async function* counted(requests: AsyncIterable<CreateDatasetRequest>): AsyncGenerator<CreateDatasetRequest> {
    for await (const request of requests) {
      if (request.content.case === 'chunk') metrics.count('uploadBytes', request.content.value.length);
      yield request;
    }
  }

  return {
    async listDatasets() {
      return { datasets: (await datasets.list()).map(datasetMessage) };
    },

    async getDataset({ name }) {
      return datasetMessage(await datasets.info(name));
    },

    async createDataset(requests, { signal }) {
      try {
        const { head, parts } = await readUpload(counted(requests));
        const { name, options } = head;
        const given = { ...(name !== undefined && { name }), ...(options !== undefined && { options }) };
        const info = await createDataset(datasets, given, parts, signal);
        metrics.count('uploads', 1, { outcome: 'accepted' });
        return datasetMessage(info);
      } catch (error) {
        metrics.count('uploads', 1, { outcome: 'refused' });
        throw error;
      }
    },

    async deleteDataset({ name }) {
      await deleteDataset(datasets, queue, name);
      return {};
    },
  };
}
