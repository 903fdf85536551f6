/** English words that say nothing of what a text is about: function words and their contractions. */

export const englishStopWords: ReadonlySet<string> = new Set(
  `a about above across after afterwards again against all almost alone along already also although always am among an and another any
anyone anything anywhere are aren't around as at be became because been before behind being below beside besides between beyond both but by
can can't cannot could couldn't did didn't do does doesn't doing don't done down during each either else elsewhere enough even ever every
everyone everything everywhere except few for former from further get gets getting go goes going got had hadn't has hasn't have haven't
having he he'd he'll hence her here hers herself him himself his how however i i'd i'll i'm i've if in indeed instead into is isn't it it'd it'll
its itself just keep last later latter least less let like likely ll made make many may maybe me might mine more moreover most mostly much
must my myself near neither never nevertheless next no nobody none nor not nothing now nowhere of off often on once one only onto or other
others otherwise our ours ourselves out over own per perhaps put quite rather re really said same say says seem seemed seems several shall
shan't she she'd she'll should shouldn't since so some somehow someone something sometimes somewhere still such take than that the their
theirs them themselves then there therefore these they they'd they'll they're they've thing things this those though through thus to together too
toward towards under until up upon us use used using ve very via was wasn't we we'd we'll we're we've well went were weren't what whatever
when whenever where whereas wherever whether which while who whoever whole whom whose why will with within without won't would wouldn't
yes yet you you'd you'll you're you've your yours yourself yourselves`.split(/\s+/),
);
