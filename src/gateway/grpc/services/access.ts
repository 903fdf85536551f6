/** AccessService: API keys. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { KeyRequest, type KeyView, RotateRequest } from '../../../access/key-record.ts';
import type { KeyService, NewKey } from '../../../access/key-service.ts';
import type { AccessService, KeySchema } from '../../../gen/hourglass/v1/access_pb.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import { checkRequest } from '../../request-check.ts';
import type { Implementation } from '../service.ts';

const Create = supported(KeyRequest);
const Rotate = supported(RotateRequest);

export function accessService(keys: KeyService): Implementation<typeof AccessService> {
  return {
    async createKey({ name, scopes, tenant, expiresInSeconds }, { caller }) {
      const given = {
        name,
        scopes,
        ...(tenant !== '' && { tenant }),
        ...(expiresInSeconds !== undefined && { expiresInSeconds }),
      };
      return newKeyMessage(await keys.create(caller, checkRequest(Create, given) as KeyRequest));
    },

    async listKeys(_request, { caller }) {
      return { keys: (await keys.list(caller)).map(keyMessage) };
    },

    async getKey({ id }, { caller }) {
      return keyMessage(await keys.get(caller, id));
    },

    async rotateKey({ id, overlapSeconds: given }, { caller }) {
      const { overlapSeconds } = checkRequest(
        Rotate,
        given === undefined ? {} : { overlapSeconds: given },
      ) as RotateRequest;
      return newKeyMessage(await keys.rotate(caller, id, overlapSeconds));
    },

    async revokeKey({ id }, { caller }) {
      await keys.revoke(caller, id);
      return {};
    },
  };
}

const time = (text: string) => timestampFromDate(new Date(text));

function keyMessage(view: KeyView): MessageInitShape<typeof KeySchema> {
  const { id, name, tenant, scopes, createdAt, expiresAt, lastUsedAt, isExpired } = view;
  return {
    ...{ id, name, tenant, isExpired },
    scopes: [...scopes],
    createdAt: time(createdAt),
    ...(expiresAt !== undefined && { expiresAt: time(expiresAt) }),
    ...(lastUsedAt !== undefined && { lastUsedAt: time(lastUsedAt) }),
  };
}

const newKeyMessage = ({ key, ...about }: NewKey) => ({ key, about: keyMessage(about) });
