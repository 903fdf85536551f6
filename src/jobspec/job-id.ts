/** Ids of jobs: they sort by the time of the submission, and tell it. */

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const timeLength = 10;
const randomLength = 16;

/** 26 characters that sort by time: 10 of milliseconds, 16 random (the layout of a ULID, in lower case). */
export function newJobId(now = Date.now()): string {
  let head = '';
  for (let rest = now, i = 0; i < timeLength; i++, rest = Math.floor(rest / 32))
    head = alphabet.charAt(rest % 32) + head;
  const random = crypto.getRandomValues(new Uint8Array(randomLength));
  return head + Array.from(random, (byte) => alphabet.charAt(byte % 32)).join('');
}

/** When the job was submitted, in milliseconds; undefined for an id of another kind. */
export function submittedAt(id: string): number | undefined {
  if (id.length !== timeLength + randomLength) return undefined;
  let time = 0;
  for (const letter of id.slice(0, timeLength)) {
    const digit = alphabet.indexOf(letter);
    if (digit < 0) return undefined;
    time = 32 * time + digit;
  }
  return time;
}
