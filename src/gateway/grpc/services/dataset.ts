/** DatasetService: data sets, built in and uploaded. */

import { type Static, Type } from 'typebox';
import { float32 } from '../../../base/ndarray.ts';
import type { CreateDatasetRequest, DatasetService } from '../../../gen/hourglass/v1/dataset_pb.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import type { Metrics } from '../../../platform/metrics.ts';
import { readRows } from '../../dataset-preview.ts';
import { createDataset, deleteDataset } from '../../datasets.ts';
import { withoutPauses } from '../../pauses.ts';
import type { Places } from '../../places.ts';
import { checkRequest } from '../../request-check.ts';
import { datasetMessage, readUpload } from '../messages/dataset.ts';
import { tensorMessage } from '../messages/tensor.ts';
import type { Implementation } from '../service.ts';

const Wanted = supported(
  Type.Object(
    {
      split: Type.Enum(['train', 'test']),
      offset: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    },
    { additionalProperties: false },
  ),
);
type Wanted = Static<typeof Wanted>;

export interface DatasetParts {
  readonly metrics: Metrics;
  readonly uploads: Places;
  /** a client that sends nothing for so long is cut off */
  readonly stallMs: number;
}

export function datasetService({ metrics, uploads, stallMs }: DatasetParts): Implementation<typeof DatasetService> {
  async function* counted(requests: AsyncIterable<CreateDatasetRequest>): AsyncGenerator<CreateDatasetRequest> {
    for await (const request of withoutPauses(requests, stallMs)) {
      if (request.content.case === 'chunk') metrics.count('uploadBytes', request.content.value.length);
      yield request;
    }
  }

  return {
    async listDatasets(_request, { tenant }) {
      return { datasets: (await tenant.datasets.list()).map(datasetMessage) };
    },

    async getDataset({ name }, { tenant }) {
      return datasetMessage(await tenant.datasets.info(name));
    },

    async createDataset(requests, call) {
      const { signal, client, tenant } = call;
      const giveBack = tenant.quota.takePlace(uploads, client);
      try {
        const { head, parts } = await readUpload(counted(requests));
        const { name, options } = head;
        const given = { ...(name !== undefined && { name }), ...(options !== undefined && { options }) };
        const info = await createDataset(tenant, { client, head: given, parts, signal, stallMs });
        metrics.count('uploads', 1, { outcome: 'accepted' });
        call.note({ name: info.name });
        return datasetMessage(info);
      } catch (error) {
        metrics.count('uploads', 1, { outcome: 'refused' });
        throw error;
      } finally {
        giveBack();
      }
    },

    async readRows({ name, split, offset, limit }, { tenant }) {
      const wanted = checkRequest(Wanted, { split: split || 'train', offset, limit: limit || 20 }) as Wanted;
      const slice = await readRows(tenant.datasets, name, wanted);
      const { info, rows, shape, values, labels = [], classCounts = [], texts = [] } = slice;
      return {
        total: info.rows[wanted.split],
        rows: tensorMessage(float32([rows, ...shape], values), true),
        labels: [...labels],
        classCounts: [...classCounts],
        texts: [...texts],
      };
    },

    async deleteDataset({ name }, { tenant }) {
      await deleteDataset(tenant.datasets, tenant.queue, name);
      return {};
    },
  };
}
