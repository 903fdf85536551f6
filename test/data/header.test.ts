// Whether the first line of a table is a header: from the tables that pandas, R, NumPy, Excel and people write.
import { describe, expect, it } from 'vitest';
import { guessHeader } from '../../src/data/formats/csv-header.ts';

const table = (text: string): string[][] => text.split('\n').map((line) => line.split(','));

describe('guessHeader', () => {
  it.each([
    ['text above numbers', 'a,b\n1,2\n3,4', -1],
    ['text alone', 'a,b', -1],
    ["R's quoted names, without the row names", 'V1,V2\n0.5,0.6', -1],
    ['a text label above classes that are text, named by its number', 'kind,x\ncat,1\ndog,2', 0],
  ])('%s is a header without doubt', (_, text, labelAt) => {
    expect(guessHeader(table(text), labelAt)).toEqual({ header: true });
  });

  it.each([
    ['pandas: columns 0, 1, 2 above floats', '0,1,2\n0.5,0.6,0.7\n0.1,0.2,0.3', -1],
    ['pandas: columns 0, 1, 2 above whole numbers', '0,1,2\n10,20,30\n40,50,60\n70,80,90', -1],
    ['pandas: one column', '0\n0.5\n0.25', -1],
    ['pandas: column numbers beside a name', 'label,0,1,2\n4,10,20,30', -1],
    ['pandas: column numbers, the label among them', '0,1,2\n0.5,0.6,1\n0.1,0.2,0', 2],
    ['pandas: an index without a name', ',0,1\n0,0.5,0.6\n1,0.1,0.2', -1],
    ['pandas: column numbers beside a label that is no class', 'species,0,1\nsetosa,5.1,3.5\nvirginica,4.9,3.0', 0],
    ['a named label above numbers, beside column numbers', 'y,0,1\n3,5,9\n4,7,7', 0],
    ['years above floats', '2015,2016,2018\n1.5,2.5,0.1\n0.5,0.25,0.75', -1],
  ])('%s is a header, with a doubt that is told', (_, text, labelAt) => {
    expect(guessHeader(table(text), labelAt)).toMatchObject({
      header: true,
      doubt: expect.stringContaining('"header": false'),
    });
  });

  it.each([
    ['floats', '0.0,1.0,2.0\n0.5,0.6,0.7', -1],
    ['whole numbers', '1,2\n3,4', -1],
    ['exclusive or', '0,1,1\n1,0,1\n0,0,0', -1],
    ['exclusive or in two lines', '0,1\n1,0', -1],
    ['one column of classes', '0\n1\n2', -1],
    ['a class before n, n + 1', 'cat,1,2\ndog,4,4\ncat,3,1', 0],
    ['a class that comes again before 0, 1', 'cat,0,1\ndog,0.5,0.25\ncat,1.5,2.5', 0],
    ['a class before rising numbers', 'setosa,5,6,7\nvirginica,1.5,2.5,3.5', 0],
    ['a class that comes once before whole numbers', 'cat,0,1\ndog,4,4\nbird,3,1', 0],
    ['a number that is missing', ',0.5\n1,2', -1],
    ['all values missing', 'NA,NA\n1,2', -1],
    ['a typing error', '1,x2\n3,4', -1],
    ['text in every line', '5.1,setosa\n4.9,virginica', -1],
  ])('%s is a row', (_, text, labelAt) => {
    expect(guessHeader(table(text), labelAt)).toEqual({ header: false });
  });

  it('tells of a row that could be a header', () => {
    expect(guessHeader(table('0,1,2\n3,4,5\n6,7,8'), -1)).toMatchObject({
      header: false,
      doubt: expect.stringContaining('"header": true'),
    });
  });
});
