/** AccessService: API keys, and the audit log. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type AuditEntry, AuditQuery } from '../../../access/audit-entry.ts';
import type { AuditLog } from '../../../access/audit-log.ts';
import { KeyRequest, type KeyView, RotateRequest } from '../../../access/key-record.ts';
import type { KeyService, NewKey } from '../../../access/key-service.ts';
import type { AccessService, AuditEntrySchema, KeySchema } from '../../../gen/hourglass/v1/access_pb.ts';
import { supported } from '../../../jobspec/schema-check.ts';
import { checkRequest } from '../../request-check.ts';
import type { Implementation } from '../service.ts';

const Create = supported(KeyRequest);
const Rotate = supported(RotateRequest);
const Page = supported(AuditQuery);

export function accessService(keys: KeyService, audit: AuditLog): Implementation<typeof AccessService> {
  return {
    async createKey({ name, scopes, tenant, expiresInSeconds }, call) {
      const given = {
        name,
        scopes,
        ...(tenant !== '' && { tenant }),
        ...(expiresInSeconds !== undefined && { expiresInSeconds }),
      };
      const made = await keys.create(call.caller, checkRequest(Create, given) as KeyRequest);
      call.note({ id: made.id, tenant: made.tenant });
      return newKeyMessage(made);
    },

    async listKeys(_request, { caller }) {
      return { keys: (await keys.list(caller)).map(keyMessage) };
    },

    async getKey({ id }, { caller }) {
      return keyMessage(await keys.get(caller, id));
    },

    async rotateKey({ id, overlapSeconds: given }, call) {
      const { overlapSeconds } = checkRequest(
        Rotate,
        given === undefined ? {} : { overlapSeconds: given },
      ) as RotateRequest;
      const made = await keys.rotate(call.caller, id, overlapSeconds);
      call.note({ newId: made.id, tenant: made.tenant });
      return newKeyMessage(made);
    },

    async revokeKey({ id }, call) {
      const { tenant } = await keys.revoke(call.caller, id);
      call.note({ tenant });
      return {};
    },

    async listAuditEntries({ limit, cursor, tenant }, { caller }) {
      const given = {
        ...(limit !== 0 && { limit }),
        ...(cursor !== '' && { cursor }),
        ...(tenant !== '' && { tenant }),
      };
      const page = await audit.list(caller, checkRequest(Page, given) as AuditQuery);
      return { entries: page.entries.map(entryMessage), nextCursor: page.nextCursor ?? '' };
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

const entryMessage = ({
  at,
  details = {},
  address = '',
  ...entry
}: AuditEntry): MessageInitShape<typeof AuditEntrySchema> => ({
  ...entry,
  ...{ at: time(at), details, address },
});

const newKeyMessage = ({ key, ...about }: NewKey) => ({ key, about: keyMessage(about) });
