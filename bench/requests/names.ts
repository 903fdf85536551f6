// Names that requests carry: those of the sender's things, of the other tenant's, of nobody's; and values with which requests succeed.
import type { Draw } from './draw.ts';
import type { CampaignTenant, Kind } from './tenants.ts';

export interface Sender {
  readonly own: CampaignTenant;
  readonly other: CampaignTenant;
}

/** What a request refers to. Nothing is ever created under a name of the other tenant: it would be in later answers by right. */
export function reference(draw: Draw, { own, other }: Sender, kind: Kind): string {
  const what = draw.next();
  const name = what < 0.65 ? own.one(kind, draw) : what < 0.9 ? other.one(kind, draw) : nobodys(draw, kind);
  return kind === 'model' && draw.chance(0.15)
    ? name + draw.pick(['@1', '@2', ':stable', ':fuzz', '@0', '@', ':'])
    : name;
}

const nobodys = (draw: Draw, kind: Kind): string =>
  draw.chance(0.5)
    ? `${kind}-${draw.hex(12)}`
    : draw.pick(['none', '..', '0', '', '__proto__', 'a'.repeat(300), 'é', '%00']);

/** For what a request makes. */
export const newName = (draw: Draw): string => `fuzz-${draw.hex(draw.chance(0.5) ? 12 : 1)}`;

/** The models of the campaign: 2×2 → 2. */
export const rows = (draw: Draw, width: number): number[][] =>
  Array.from({ length: 1 + draw.below(3) }, () => Array.from({ length: width }, () => draw.below(100) / 100));

/** Which kind a path, a service or a schema means by `name` and `id`. */
export function kindOf(place: string): Kind | undefined {
  if (/dataset/i.test(place)) return 'dataset';
  if (/sweep/i.test(place)) return 'sweep';
  if (/job|training/i.test(place)) return 'job';
  if (/key|access/i.test(place)) return 'key';
  if (/model|registry|inference/i.test(place)) return 'model';
  return undefined;
}

export const minimalJob = (draw: Draw, sender: Sender): Record<string, unknown> => ({
  name: newName(draw),
  dataset: draw.chance(0.8) ? sender.own.things.dataset : reference(draw, sender, 'dataset'),
  model: {
    type: draw.pick(['dense', 'linear', 'tied', 'variational', 'rbm', 'sparse', 'multvae']),
    code: 1 + draw.below(3),
  },
  training: { epochs: 1, seed: draw.below(5) },
});

export const minimalSearch = (draw: Draw): unknown =>
  draw.pick([
    { type: 'grid', parameters: { '/training/seed': [1, 2] } },
    { type: 'grid', parameters: { '/model/code': [1, 2, 3], '/training/epochs': [1] } },
    { type: 'random', trials: 2, parameters: { '/training/seed': [1, 2, 3] } },
  ]);
