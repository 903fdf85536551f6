/** Watches a job in the terminal: a bar where there is one, else a line for each epoch. */

import { type Call, exitCodes } from './command.ts';

/** The exit code: 0 when the job succeeded. */
export async function follow({ client, terminal, signal }: Call, id: string): Promise<number> {
  for await (const event of client.jobs.events(id, { signal })) {
    if (terminal.isJson)
      terminal.json({ event: event.type, ...(event.type === 'end' ? { job: event.data } : event.data) });
    switch (event.type) {
      case 'state':
        terminal.note(`${id} is ${event.data.state}`);
        break;
      case 'progress': {
        const { phase, percent, epoch, epochs, loss, etaSeconds } = event.data;
        const left = etaSeconds === undefined ? '' : `, ${Math.round(etaSeconds)} s left`;
        terminal.bar(
          percent / 100,
          `${percent.toFixed(0)} % ${phase} ${epoch}/${epochs} loss ${loss?.toPrecision(4) ?? '–'}${left}`,
        );
        break;
      }
      case 'epoch': {
        const { phase, epoch, metrics } = event.data;
        const figures = Object.entries(metrics).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
        terminal.note(`${phase} epoch ${epoch}: ${figures.join(', ')}`);
        break;
      }
      case 'end': {
        terminal.endBar();
        const { state, model, version, failure } = event.data;
        if (failure) terminal.note([failure.message, ...(failure.log ?? [])].join('\n'));
        if (model !== undefined) terminal.line(`${model}@${version}`);
        return state === 'succeeded' ? exitCodes.done : exitCodes.jobFailed;
      }
      case 'sample':
        break;
      default:
        event satisfies never;
    }
  }
  const { state } = await client.jobs.get(id, { signal });
  return state === 'succeeded' ? exitCodes.done : exitCodes.jobFailed;
}
