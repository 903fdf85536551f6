/** Formats that are met often and not read, by their first bytes: what they are, and what to do instead. */

const pickle = 'it is a Python pickle, which is never read. Save arrays with numpy.save.';
const netCdf = 'it is a NetCDF file. Save one array of it with numpy.save.';
const excel = 'it is an Excel workbook. Save the sheet as "CSV UTF-8".';
const picture = 'it is a single picture. Pack at least two into a zip or tar.';

const known: readonly [magic: string | RegExp, what: string][] = [
  [/^PAR1($|[^ -~\t\r\n])/, 'it is a Parquet file. Write CSV (pandas: to_csv(file, index=False)) or .npy.'],
  ['ARROW1\0', 'it is an Arrow or Feather file. Write CSV or .npy.'],
  [/^FEA1[^ -~\t\r\n]/, 'it is a Feather file. Write CSV or .npy.'],
  [/^ORC[^ -~\t\r\n]/, 'it is an ORC file. Write CSV or .npy.'],
  ['Obj\x01', 'it is an Avro file. Write CSV or .npy.'],
  [/^MATLAB 7\.3/, 'it is a Matlab file (.mat, version 7.3). Use writematrix(x, "x.csv").'],
  [/^MATLAB 5\.0/, 'it is a Matlab file (.mat). Use writematrix(x, "x.csv").'],
  ['\x89HDF', 'it is an HDF5 file (.h5, .hdf5, .mat, Keras). Save one array of it with numpy.save.'],
  ['CDF\x01', netCdf],
  ['CDF\x02', netCdf],
  ['CDF\x05', netCdf],
  ['SIMPLE  =', 'it is a FITS file. Save its array with numpy.save.'],
  ['\xd0\xcf\x11\xe0', 'it is an old Office file, such as an Excel workbook (.xls). Save the sheet as "CSV UTF-8".'],
  ['SQLite format 3', 'it is an SQLite database. Export the table as CSV.'],
  [/^RD[AX][23]\n/, 'it is an R data file (.RData). Use write.csv(x, file, row.names = FALSE).'],
  ['X\n\0\0\0', 'it is an R data file (.rds). Use write.csv(x, file, row.names = FALSE).'],
  ['$FL2', 'it is an SPSS file. Export it as CSV.'],
  ['<stata_dta>', 'it is a Stata file. Export it as CSV.'],
  [/^[\s\S]{8}\{"/, 'it is a safetensors file. Save one array of it with numpy.save.'],
  ['\x89PNG', picture],
  ['\xff\xd8\xff', picture],
  [/^RIFF[\s\S]{4}WEBP/, picture],
  [/^RIFF[\s\S]{4}WAVE/, 'it is a sound (WAV). Save its samples as .npy, one row for each example.'],
  ['GIF8', 'it is a GIF picture. Pack PNG, JPEG or WebP pictures into a zip or tar.'],
  [/^(II\*\0|MM\0\*)/, 'it is a TIFF picture. Pack PNG, JPEG or WebP pictures into a zip or tar.'],
  [/^BM[\s\S]{4}\0\0\0\0/, 'it is a BMP picture. Pack PNG, JPEG or WebP pictures into a zip or tar.'],
  [/^[\s\S]{4}ftyp/, 'it is a HEIC or AVIF picture or a film. Pack PNG, JPEG or WebP pictures into a zip or tar.'],
  ['%PDF-', 'it is a PDF document.'],
  ['\x1f\x8b', 'it was compressed by gzip twice. Unpack it once.'],
  [/^BZh[1-9]/, 'it was compressed by bzip2. Use gzip, or send it as it is.'],
  ['\xfd7zXZ', 'it was compressed by xz. Use gzip, or send it as it is.'],
  ['(\xb5/\xfd', 'it was compressed by zstd. Use gzip, or send it as it is.'],
  ['\x04"M\x18', 'it was compressed by lz4. Use gzip, or send it as it is.'],
  ['7z\xbc\xaf', 'it is a 7z archive. Pack a zip or tar.'],
  ['Rar!\x1a', 'it is a RAR archive. Pack a zip or tar.'],
  ['\x80\x02', pickle],
  ['\x80\x03', pickle],
  ['\x80\x04', pickle],
  ['\x80\x05', pickle],
  [/^(\(lp0|\(dp0|cnumpy|ccopy_reg|cpandas)/, pickle],
  [
    'version https://git-lfs',
    'it is a pointer of Git LFS, not the file itself. Run git lfs pull, then upload it again.',
  ],
  [/^\s*<(!doctype html|html|\?xml)/i, 'it is a web page or XML document, not a table. Did a download fail?'],
  [/^\s*(\{\s*"|\[\s*(\[|\{|"|-?\d[\d.eE+-]*\s*,))/, 'it is JSON. Write it as CSV, or as .npy.'],
  [/^\s*@relation\s/i, 'it is an ARFF file. Write CSV.'],
];

/** `head` is the beginning of a file as latin1. */
export const whatIsIt = (head: string): string | undefined =>
  known.find(([magic]) => (typeof magic === 'string' ? head.startsWith(magic) : magic.test(head)))?.[1];

/** What a zip is that holds no pictures, by the names in it. */
export function whatIsZip(names: readonly string[]): string | undefined {
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (has(/^xl\//) && has(/^\[Content_Types\]\.xml$/)) return excel;
  if (has(/^word\//) || has(/^ppt\//)) return 'it is an Office document. Save a table as CSV.';
  if (has(/^mimetype$/) && has(/^content\.xml$/)) return 'it is an OpenDocument file. Save the sheet as CSV (UTF-8).';
  if (names.length > 0 && names.every((name) => name.endsWith('.npy'))) {
    const arrays = names.slice(0, 5).join(', ');
    return `it is a NumPy .npz archive (${arrays}). Save each array with numpy.save and send it as a part of its own: rows, labels.`;
  }
  if (has(/\/data\.pkl$/)) return 'it is a PyTorch file. Save a tensor with numpy.save(file, x.numpy()).';
  if (has(/^META-INF\/MANIFEST\.MF$/)) return 'it is a Java archive.';
  if (has(/\.(png|jpe?g|webp)$/i)) return undefined;
  const table = names.find((name) => /\.(csv|tsv|txt|npy|parquet|xlsx?|mat|h5)$/i.test(name));
  if (table !== undefined) {
    return `it holds ${JSON.stringify(table.slice(0, 80))}, which is not a picture. Send that file itself; gzip may compress it.`;
  }
  return undefined;
}
