/** The report of a version: the sections of its page, drawn from its report.json. */

import { card } from '../../figures/parts.ts';
import { type PictureModelReport, pictureModelBody } from '../../figures/picture-models.ts';
import type { Report } from '../../figures/report.ts';
import { reportBody, verdict } from '../../figures/report-body.ts';
import type { Manifest } from '../../sdk/index.ts';
import { useLoaded } from '../load.ts';
import { getJson } from '../server.ts';
import { Drawn } from './drawn.tsx';
import { Warnings } from './notices.tsx';

export interface VersionReportProps {
  readonly of: Manifest;
  /** of the data set that it was trained on, by class number */
  readonly classNames: readonly string[];
}

type AnyReport = Report | PictureModelReport;

export function VersionReport({ of: { name, version, files }, classNames }: VersionReportProps) {
  const folder = `v1/models/${name}/versions/${version}/files`;
  const hasReport = files.some(({ path }) => path === 'report.json');
  const report = useLoaded(
    async () => (hasReport ? getJson<AnyReport>(`${folder}/report.json`) : undefined),
    [name, version],
  );
  if (!report.data) return null;
  const addressOf = (file: string): string | undefined =>
    files.some(({ path }) => path === file) ? `${folder}/${file}` : undefined;
  if ('kind' in report.data) {
    const body = pictureModelBody(report.data, { addressOf });
    return (
      <div class="figures">
        <Drawn of={[verdict(body.verdict, body.isBehind), body.sections.map(card)]} />
      </div>
    );
  }
  const { verdict: told, sections, definitions } = reportBody(report.data, { addressOf, classNames });
  return (
    <div class="figures">
      <Drawn of={told} />
      <Warnings of={report.data.notes} />
      <Drawn of={sections.map(card)} />
      <section class="card">
        <Drawn of={definitions} />
      </section>
    </div>
  );
}
