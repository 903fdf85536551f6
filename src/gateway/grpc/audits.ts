/** What methods change, for the audit log. A method that needs more than `infer` or `read` is here, or only reads. */

import type { DescMethod, MessageShape } from '@bufbuild/protobuf';
import type { AuditAction } from '../../access/audit-entry.ts';
import { AccessService } from '../../gen/hourglass/v1/access_pb.ts';
import { DatasetService } from '../../gen/hourglass/v1/dataset_pb.ts';
import { RegistryService } from '../../gen/hourglass/v1/registry_pb.ts';
import { SweepService } from '../../gen/hourglass/v1/sweep_pb.ts';
import { TrainingService } from '../../gen/hourglass/v1/training_pb.ts';
import { GRPCInferenceService } from '../../gen/inference/grpc_predict_v2_pb.ts';
import { changingScopes } from '../audit.ts';
import type { AuditOf } from './call.ts';
import type { BoundService } from './service.ts';

const { method: jobs } = TrainingService;
const { method: sweeps } = SweepService;
const { method: models } = RegistryService;
const { method: keys } = AccessService;

const pathOf = ({ parent, name }: DescMethod): string => `/${parent.typeName}/${name}`;
const does = (method: DescMethod, action: AuditAction): [string, AuditOf] => [pathOf(method), () => action];

export const audits: ReadonlyMap<string, AuditOf> = new Map([
  does(jobs.submitJob, 'job.submit'),
  does(jobs.cancelJob, 'job.cancel'),
  does(jobs.resumeJob, 'job.resume'),
  does(jobs.retryJob, 'job.retry'),
  does(jobs.deleteJob, 'job.delete'),
  does(sweeps.submitSweep, 'sweep.submit'),
  does(sweeps.cancelSweep, 'sweep.cancel'),
  does(DatasetService.method.createDataset, 'dataset.create'),
  does(DatasetService.method.deleteDataset, 'dataset.delete'),
  does(models.setAlias, 'alias.set'),
  does(models.deleteAlias, 'alias.delete'),
  does(models.deleteVersion, 'version.delete'),
  does(models.deleteModel, 'model.delete'),
  [
    pathOf(models.shareModel),
    (request) => ((request as MessageShape<typeof models.shareModel.input>).shared ? 'model.share' : 'model.unshare'),
  ],
  does(GRPCInferenceService.method.repositoryModelLoad, 'model.load'),
  does(GRPCInferenceService.method.repositoryModelUnload, 'model.unload'),
  does(keys.createKey, 'key.create'),
  does(keys.rotateKey, 'key.rotate'),
  does(keys.revokeKey, 'key.revoke'),
]);

/** As the members are called over REST: what RegistryService calls `name` is a model. */
export function membersOf(request: object, action: AuditAction): Record<string, unknown> {
  const { name, modelName, ...members } = request as Record<string, unknown>;
  const isAboutModel = /^(?:model|version|alias)\./.test(action);
  return { ...members, ...(isAboutModel ? { model: modelName ?? name } : { name }) };
}

const onlyReads = /\/(?:Get|List|Check|Read|Watch)\w*$/;

/** Throws Error for a method that changes something and is not here: the server then does not start. */
export function requireAudits(services: readonly BoundService[]): void {
  for (const [path, demanded] of services.flatMap(({ demands }) => [...demands])) {
    if (!changingScopes.has(demanded) || onlyReads.test(path) || audits.has(path)) continue;
    throw new Error(`the method ${path} changes something: say in grpc/audits.ts what, for the audit log`);
  }
}
