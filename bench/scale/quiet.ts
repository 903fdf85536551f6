// A log that nobody reads.
import { createLog } from '../../src/platform/log.ts';

export const quiet = createLog({ level: 'silent', format: 'json', process: 'scale', destination: { write: () => {} } });
