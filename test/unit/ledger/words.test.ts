// Texts found again within other texts, however they are written there.

import { describe, expect, it } from 'vitest'
import { Words } from '../../../src/ledger/words.js'

function swept(word: string, text: string): string {
  const words = new Words()
  words.add(word, '#', true)
  return words.sweptText(text)
}

describe('words', () => {
  it.each([
    ['in another case', 'Ada', 'ADA, ada and Ada', '#, # and #'],
    ['between signs', 'ada', '<ada>_ada.ada', '<#>_#.#'],
    ['as part of no longer word', 'ada', 'adan, canada, ada1', 'adan, canada, ada1'],
    ['percent-encoded', 'ada@x.com', 'to=ada%40x.com&b', 'to=#&b'],
    ['percent-encoded more than once', 'ada@x.com', '?u=ada%2540x.com', '?u=#'],
    ['with letters encoded that need not be', 'Ada', '?u=%41d%61&v=%61DA', '?u=#&v=#'],
    ['behind an encoded sign', 'ada', 'a%20ada%3Aada', 'a%20#%3A#'],
    ['with its spaces as plus signs', 'ada lovelace', '?q=ada+lovelace', '?q=#'],
    ['with bytes of other letters', 'zoë', 'ZO%C3%AB zo%c3%8B', '# #'],
    ['composed otherwise', 'zo\u00eb', 'zoe\u0308', '#'],
    ['in JSON within a text', 'a"b\\c/d', JSON.stringify({ is: 'a"b\\c/d' }).replace('/', '\\/'), '{"is":"#"}'],
    ['behind an escaped line break', 'ada', '"x\\nada"', '"x\\n#"'],
    ['escaped letter by letter', 'zoë🙂', 'zo\\u00eb\\uD83D\\uDE42', '#'],
    ['with an escape in the name itself', 'a%41\\u0041', 'is a%41\\u0041 and a%2541%5Cu0041', 'is # and #'],
    ['in letters that have several of the other case', 'ΣΟΦΟΣ', 'σοφος, σοφοσ', '#, #'],
    ['in a script without spaces', '田中', '田中さんへ', '#さんへ'],
    ['with signs of patterns', '.*$&(a|b)', 'xx .*$&(a|b) a', 'xx # a'],
  ])('are found %s', (_how, word, text, expected) => {
    expect(swept(word, text)).toBe(expected)
  })

  it('of signs alone are left: everything is full of them', () => {
    for (const sign of ['', ' ', '-', '/%', '$']) expect(swept(sign, 'a - b $ /%')).toBe('a - b $ /%')
  })

  it('are told apart by their case where both are there, and the longer one is taken first', () => {
    const words = new Words()
    for (const word of ['Ada', 'ada', 'ada lovelace']) words.add(word, `<${word.length}${word[0]}>`, true)
    expect(words.sweptText('ada Ada ADA, ada Lovelace')).toBe('<3a> <3A> <3A>, <12a>')
  })

  it('are found where they overlap with what is no word, and where a longer one is none', () => {
    expect(swept('a-a', 'xa-a-a')).toBe('xa-#')
    expect(swept('🙂a', '🙂ab 🙂a')).toBe('🙂ab #')
    const words = new Words()
    for (const word of ['ada lovelace', 'ada']) words.add(word, `<${word.length}>`, true)
    expect(words.sweptText('ada lovelaces, ada lovelace')).toBe('<3> lovelaces, <12>')
  })

  it('that no id is made of are left in ids', () => {
    const words = new Words()
    words.add('pro', 'P', false)
    words.add('ada', 'A', true)
    expect([words.sweptText('ada-pro'), words.sweptId('ada-pro')]).toEqual(['A-P', 'A-pro'])
  })
})
