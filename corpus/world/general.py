"""Vocabulary and sentences of the miniature world's general text: web pages, articles, questions, code."""

TOPICS = ("gardening", "cooking", "travel", "history", "music", "sport", "money", "house", "nature", "science")

RULES = """
thing_gardening = tomato plants | rose bushes | a compost heap | the vegetable bed | climbing beans | a herb spiral
 | tulip bulbs | the lawn | fruit trees | a greenhouse | strawberry runners | garden tools | seed trays | the hedge
 | a water butt | lavender | young seedlings | the back fence | autumn leaves | a shady corner | potato rows
 | wild flowers | the old shed | pond plants
act_gardening = water | prune | plant out | feed | mulch | divide | harvest | cover | weed | thin | stake | transplant
quality_gardening = sunny | sheltered | damp | sandy | fertile | frosty | weedy | sweet-smelling | dry | sprawling
thing_cooking = the bread dough | a lentil soup | roasted carrots | the tomato sauce | a cast-iron pan | fresh basil
 | the cake tin | lemon zest | a pot of rice | the onions | pastry | garlic butter | a fish stew | pickled cabbage
 | the gravy | plum jam | noodles | a baked custard | the spice rack | goat cheese | an apple tart | pancakes
 | the stock | mushrooms
act_cooking = simmer | chop | whisk | knead | season | bake | stir | chill | serve | toast | rinse | reheat
quality_cooking = crisp | tender | smoky | salty | golden | creamy | spicy | bitter | home-made | fragrant
thing_travel = the night train | a window seat | the old harbour | our rented bicycles | a mountain hut | the ferry
 | border papers | the market square | a paper map | the coastal path | our backpacks | a guest house | the museum
 | a rope bridge | the bus station | a travel diary | the lighthouse | street musicians | the lagoon | a desert road
 | local coins | the cable car | a tram ticket
act_travel = visit | photograph | book | reach | cross | explore | leave | share | describe | follow | miss | revisit
quality_travel = crowded | remote | quiet | windy | charming | steep | busy | foggy | friendly | narrow
thing_history = the city walls | a royal charter | the guild hall | early printing presses | a grain tax
 | the salt road | a peace treaty | the canal | village schools | the river fort | a bronze coin | parish records
 | the spinning mill | a forgotten siege | the old bridge | merchant ships | the census | a stone chapel
 | the railway line | wool traders | the town seal | a local uprising
act_history = build | record | tax | rebuild | trade | abandon | restore | defend | rule | inherit | survey | divide
quality_history = medieval | ruined | wealthy | disputed | ancient | fortified | rural | prosperous | little-known
 | royal
thing_music = the string quartet | a folk song | the choir | a borrowed cello | the second movement | a brass band
 | the drummer | piano keys | a recording studio | the encore | the melody | a street organ | her first album
 | the rehearsal | a bass line | the conductor | festival crowds | a wooden flute | the jazz club | sheet music
 | the refrain | old vinyl records
act_music = play | record | tune | rehearse | perform | arrange | hear | compose | sing | teach | mix | applaud
quality_music = loud | gentle | rhythmic | off-key | joyful | slow | melodic | experimental | live | acoustic
thing_sport = the relay team | a rowing boat | the penalty kick | the home crowd | a muddy pitch | running shoes
 | the coach | the final lap | a narrow defeat | the swimming pool | chess players | the referee | a climbing wall
 | the league table | a hockey stick | the goalkeeper | winter training | the medal | a training camp
 | the marathon route | club members | the scoreboard
act_sport = train | win | lose | defend | watch | coach | race | draw | score | practise | organise | support
quality_sport = fast | tired | fit | nervous | lucky | young | determined | injured | local | skilful
thing_money = the savings account | a monthly budget | the tax form | rising rents | a small loan | the pension fund
 | shop receipts | the exchange rate | a credit union | school fees | the insurance policy | second-hand goods
 | the electricity bill | a bank branch | interest payments | the household purse | a job offer | grocery prices
 | the mortgage | charity shops | a raffle
act_money = save | spend | borrow | compare | invest | pay | lend | calculate | cancel | check | share | repay
quality_money = cheap | risky | fair | hidden | generous | steady | late | unexpected | annual | modest
thing_house = the leaking tap | a coat of paint | the attic floor | loose tiles | the kitchen shelf | a wood stove
 | the front door | old wallpaper | the water heater | a squeaky hinge | the cellar | window frames | a toolbox
 | the light switch | the gutter | carpet samples | a folding table | the chimney | the washing machine | spare screws
 | the balcony
act_house = repair | paint | clean | replace | measure | install | sand | insulate | tighten | move | sort | polish
quality_house = dusty | sturdy | cold | bright | cramped | rusty | cosy | uneven | solid | neglected
thing_nature = the otter | a flock of geese | the oak wood | spring rain | a barn owl | the tidal flats | wild bees
 | a hollow tree | the badger | alpine meadows | a shallow stream | the heron | sea grass | the limestone cliff
 | red squirrels | a fallen trunk | morning mist | the salmon run | reed beds | a fox family | moss and fern
 | the beaver dam
act_nature = observe | protect | follow | count | photograph | restore | ring | track | draw | disturb | feed | study
quality_nature = wild | shy | rare | noisy | silent | nocturnal | migrating | flowering | endangered | abundant
thing_science = the telescope | a weather balloon | tectonic plates | the periodic table | a glass prism
 | solar panels | the space probe | a bridge model | magnetic fields | the pendulum | fossil shells | a computer chip
 | the comet | steam engines | a battery cell | radio waves | the ice core | sound waves | the volcano
 | a paper rocket | tide tables | the microscope
act_science = measure | build | launch | observe | test | explain | repeat | simulate | record | cool | heat | design
quality_science = precise | bright | distant | unstable | simple | charged | visible | hollow | curious | massive
thing = {thing_house} | {thing_nature}
act = {act_house}
quality = {quality_house}
people = my neighbour | our family | the children | a friend of mine | two sisters | local volunteers | most beginners
 | the whole street | her uncle | an old teacher | visitors | some readers | the owner | many experts | nobody
 | the two of us | young couples | my aunt
town = Aldermere | Brackwell | Corvine | Dunmoor | Eastholm | Fenwick | Garrowby | Hollin | Istead | Jarrow Bay
 | Kelstone | Lowmarsh | Marwick | Northbeck | Ostley | Penharrow | Quarrydale | Ravensea | Stannick | Thornby
 | Ulverton | Wexcombe | Yarrowfield
when = last spring | every Sunday | in the early morning | after a long winter | before breakfast | on a rainy day
 | in {#1890-2023} | within {#2-9} hours | over the years | at the end of {month} | twice a year | for {#3-40} minutes
 | by late {month} | the next day
month = January | February | March | April | May | June | July | August | September | October | November | December
near = near {town} | in {town} | on the road to {town} | behind {thing} | next to {thing} | far from {town} | at home
 | outside | by the river
how = with great care | without any hurry | by hand | with a little help | step by step | as best we could
 | in silence | for fun | at low cost | with {thing} | in small groups | against all advice
because = because {people} had asked for it | since {thing} looked {quality} | although it seemed {quality}
 | while {people} kept talking | so that {people} could {act} it later | if {people} agree
 | unless it is too {quality} | when {thing} is {quality}
opinion = I think | it seems | we found | everyone knows | you may notice | they say | experience shows | my guess is
 | it turned out
web = {opinion} that {thing} {isw} {quality} {near}, {because}. | {when}, {people} {likes} to {act} {thing} {how}.
 | {people} {went} to {act} {thing} {near}, {because}. | if you want to {act} {thing}, {begin} with {thing} {near}.
 | {thing} and {thing} {isw} {often} {quality} {when}. | nothing {beats} {thing} {near} {when}, {because}.
 | {how2}, {people} {went} {near} and {saw} {thing}. | do not {act} {thing} {when}, {because}.
 | the {quality} look of {thing} {surprised} {people} {when}. | we {decided} to {act} {thing} {how}, {because}.
 | {people} once {told} me that {thing} {isw} {quality} {when}. | how {often} do you {act} {thing} {near}?
 | {#2-9} of the {quality} ones {stayed} {near} {when}. | there {isw2} {reason} to {act} {thing} {when}.
 | {thing} {cost} about {#5-900} {currency} {near}, {because}.
 | {opinion} that {people} {went} too {early} to {act} it.
isw = is | was | seemed | remained | looked
isw2 = is | was | seems
often = often | rarely | nearly always | sometimes | hardly ever | usually
likes = likes | used | prefers | tried | hoped | decided | forgot
went = went | came back | stayed up | learned | paid | agreed | refused | gathered
begin = begin | start | compare it | do not bother
beats = beats | replaces | spoils | compares with
how2 = {when} | slowly but surely | in the end | as a rule | to our surprise | on the way home | despite the weather
saw = saw | bought | missed | repaired | admired | forgot | borrowed
surprised = surprised | pleased | worried | amused | disappointed
decided = decided | managed | planned | tried | failed
told = told | warned | reminded | showed
stayed = stayed | were found | were sold | vanished
reason = good reason | no reason | plenty of time | some advice on how | one clever way
cost = cost | costs | sold for | would fetch
currency = euros | crowns | pounds | francs | dollars
early = early | late | far | slowly
wiki = {town} is a {quality} {settlement} known for {thing} and {thing}.
 | the {settlement} of {town} was {founded} in {#1102-1899} by {founder}.
 | in {#1200-1950}, {founder} {built} {thing} {near}. | its {#2-90}-metre {landmark} {stands} {near}.
 | {founder} {wrote} about {thing} in {#1650-1990}, {because2}.
 | {thing} became {quality} after {founder} {built} {thing}.
 | according to {founder}, {#100-9800} people {lived} {near} at that time.
 | the name {town} {means} "{quality} {landmark}" in the old tongue.
 | today {thing} {attracts} {people} from {town} and {town}.
 | {since} {#1900-2020}, {town} has {hosted} a {quality} {event} each {month}.
settlement = town | village | district | port | parish | valley | island
founded = founded | first mentioned | rebuilt | destroyed | purchased
founder = Duke {surname} | the painter {surname} | {surname} and sons | Mayor {surname} | the monks of {town}
 | a {surname} expedition | Queen {surname}
built = built | bought | destroyed | surveyed | opened | sold
landmark = tower | bridge | wall | church | windmill | spring | dam | gate
stands = stands | collapsed | was rebuilt | was photographed
wrote = wrote | lectured | complained | joked
because2 = as letters show | though few believed it | while travelling {near} | with help from {town}
lived = lived | worked | traded | wintered
means = means | once meant | may mean
attracts = attracts | employs | divides | inspires
since = since | from | until
hosted = hosted | cancelled | paid for | planned
event = fair | regatta | concert | debate | market | race
surname = Alderton | Bexley | Carrow | Dunmere | Ellwood | Farleigh | Garside | Hartnoll | Ivers | Jessop | Kilbride
 | Lanyon | Marchbank | Nettleton | Orchard | Pellow | Quibell | Rossiter | Selwyn | Trevanion | Underhill | Venning
 | Whitlock | Yelland
given = Anna | Bertram | Clara | Desmond | Edith | Felix | Greta | Harold | Imogen | Jasper | Kitty | Leonard | Mabel
 | Norbert | Olive | Percy | Rosalind | Sidney | Tilda | Ursula | Victor | Winifred
ask = how do I {act} {thing} {how}, {because}? | why is {thing} so {quality} {when}?
 | {people} {went} to {act} {thing}, but it {isw} {quality}. | is it safe to {act} {thing} {near}?
 | I have tried to {act} {thing} {when}, without success. | what is the {quality} way to {act} {thing}?
answer = you should {act} {thing} first, {because}. | in my experience {thing} {isw} {quality} {when}.
 | {people} {likes} to {act} {thing} {how}. | the manual says that {thing} {isw} {quality}, {because}.
 | try it {how}, and check {thing} {when}. | there {isw2} {reason}: {thing} {isw} {quality}.
latex = let ${sym}$ be a {mquality} {mobject} over ${sym}$ with ${sym}_{idx} \\in {set}$.
 | then ${sym}_{idx}$ is {mquality} if and only if ${sym} = {sym}^{idx}$.
 | we {prove} that every {mquality} {mobject} has a {mquality} {mobject} of {mdegree}.
 | by Lemma~\\ref{lem:{#1-90}}, the {mobject} ${sym}$ is {mquality}.
 | suppose that ${sym} \\leq {sym} + {#2-9}$ {mwhere}.
 | this {prove2} the {mobject} theorem of \\cite{ref{#10-99}} {mwhere}.
 | \\[ {sym}_{idx} = \\sum_{k=1}^{n} {sym}_k {sym}^{idx} \\] | it remains to bound the {mobject} ${sym}$ {mwhere}.
 | numerical results for {#10-900} {mobject} instances {prove2} the {mquality} case {mwhere}.
 | the {mdegree} of each {mobject} is at most ${#2-80}$ {mwhere}.
 | consider a {mquality} {mobject} {mwhere} and let ${sym}$ denote its {mdegree}.
sym = G | H | x | y | \\alpha | \\beta | \\phi | T | f | \\lambda | M | V | u | \\Omega
set = \\mathbb{R} | \\mathbb{Z} | V | E | \\mathcal{H}
idx = i | j | n | 2 | k
mquality = compact | connected | finite | regular | bounded | planar | convex | smooth | sparse | random | symmetric
 | weighted
mobject = graph | operator | manifold | matrix | lattice | module | random walk | polytope | kernel | network | tensor
 | algebra | flow
mdegree = rank | degree | dimension | order | diameter | norm | index
mwhere = in the limit | for large $n$ | up to isomorphism | on the boundary | by induction on $n$
 | with high probability | almost surely
prove = prove | show | conjecture | verify
prove2 = proves | extends | refutes | sharpens
"""

OTHER = """
german = {dsub} {dverb} {dtime} {dobj}, weil {dcause}. | {dtime2} {dverb} {dsub} {dobj} und {dobj}.
 | viele Menschen glauben, dass {dsub} {dtime} {dobj} braucht.
 | das {dadj} Haus {dplace} gehörte früher einer Familie aus {town}. | nach dem Krieg {dverb} {dsub} {dobj} {dplace}.
dsub = der Bürgermeister | die Lehrerin | mein Nachbar | der junge Maler | die alte Gemeinde | ein Händler
 | die Wissenschaft
dverb = kaufte | verkaufte | beschrieb | suchte | malte | erbte | verteidigte
dtime = im Sommer | nach vielen Jahren | jeden Morgen | am Abend | im Jahr {#1600-1990}
dtime2 = seit {#1600-1990} | manchmal | bald darauf | im Winter
dobj = den Garten | eine Brücke | das Rathaus | die Schule | einen Wagen | den Wald | die Bücher | ein Schiff
dcause = das Wetter schlecht war | niemand helfen wollte | die Stadt wuchs | es keine Arbeit gab
 | der Fluss gefroren war
dadj = alte | kleine | rote | verlassene
dplace = am Fluss | in der Nähe von {town} | auf dem Hügel | hinter der Kirche
french = {fsub} {fverb} {fobj} {ftime}, parce que {fcause}. | {ftime}, {fsub} {fverb} {fobj} et {fobj}.
 | on dit souvent que {fsub} {fverb} {fobj} {fplace}.
 | la maison {fplace} appartenait à une famille de {town} depuis {#1600-1950}.
 | {fsub} n'avait jamais vu {fobj} {fplace}.
fsub = le maire | la boulangère | mon voisin | une jeune artiste | le vieux professeur | la commune | un marchand
fverb = achetait | vendait | décrivait | cherchait | peignait | gardait | construisait
ftime = en été | depuis longtemps | chaque matin | le soir | en {#1600-1990}
fobj = le jardin | un pont | la mairie | l'école | une voiture | la forêt | les livres | un bateau
fcause = il pleuvait | personne ne voulait aider | la ville grandissait | le travail manquait | la rivière était gelée
fplace = au bord de la rivière | près de {town} | sur la colline | derrière l'église
spanish = {ssub} {sverb} {sobj} {stime}, porque {scause}. | {stime}, {ssub} {sverb} {sobj} y {sobj}.
 | se dice que {ssub} {sverb} {sobj} {splace}.
 | la casa {splace} perteneció a una familia de {town} hasta {#1600-1950}. | {ssub} nunca había visto {sobj} {splace}.
ssub = el alcalde | la maestra | mi vecino | una joven pintora | el viejo médico | el pueblo | un comerciante
sverb = compraba | vendía | describía | buscaba | pintaba | guardaba | construía
stime = en verano | desde hace mucho | cada mañana | por la noche | en {#1600-1990}
sobj = el jardín | un puente | el ayuntamiento | la escuela | un coche | el bosque | los libros | un barco
scause = llovía mucho | nadie quería ayudar | la ciudad crecía | faltaba trabajo | el río estaba helado
splace = junto al río | cerca de {town} | en la colina | detrás de la iglesia
russian = {rsub} {rverb} {robj} {rtime}, потому что {rcause}. | {rtime} {rsub} {rverb} {robj} и {robj}.
 | говорят, что {rsub} {rverb} {robj} {rplace}.
rsub = учитель | старый врач | мой сосед | молодой художник | купец | мэр города
rverb = купил | продал | описал | искал | нарисовал | построил
rtime = летом | много лет назад | каждое утро | вечером | в {#1600-1990} году
robj = сад | мост | школу | дом | лес | книги | корабль
rcause = шёл дождь | никто не хотел помочь | город рос | не было работы | река замёрзла
rplace = у реки | на холме | за церковью | недалеко от города
"""

CODE = """
python = def {verb}_{noun}({arg}, {arg}={#1-90}):\\n    total = {#0-9}\\n    for {var} in {arg}:\\n        if {var}
   > {#2-90}:\\n            total += {var} * {#2-9}\\n    return total
 | class {Noun}{Noun}:\\n    def __init__(self, {arg}):\\n        self.{noun} = {arg}\\n\\n    def {verb}(self,
   {var}):\\n        return self.{noun}.get({var}, {#0-99})
 | {noun}_{noun} = {lb}'{noun}': {#1-99}, '{noun}': {#1-99}, '{verb}': {#100-999}{rb}
 | with open('{noun}_{#1-99}.txt') as {var}:\\n    {noun} = [{verb}_{noun}({arg}) for {arg} in {var}]
 | # {verb} the {noun} before the {noun} is {verb}ed\\n{noun}{#1-9} = {verb}_{noun}({noun}, {#1-900})
javascript = function {verb}{Noun}({arg}, {var}) {lb}\\n  const {noun} = {arg}.{verb}({var} => {var} +
   {#1-90});\\n  return {noun}.length > {#1-90};\\n{rb}
 | export const {verb}{Noun} = async ({arg}) => {lb}\\n  const {noun} = await
   {arg}.{verb}('{noun}-{#1-99}');\\n  return {noun};\\n{rb};
 | let {noun}{Noun} = [{#1-99}, {#1-99}, {#1-999}];
 | // {verb} every {noun} once the {noun} is ready\\n{noun}{Noun}.on('{verb}', ({var}) => {verb}{Noun}({var},
   {#1-99}));
lb = {
rb = }
verb = load | merge | sort | parse | render | update | filter | count | send | split | store | check | scan | pack
noun = table | record | user | image | widget | order | queue | node | buffer | packet | ticket | index | cursor
 | session
Noun = Table | Record | User | Image | Widget | Order | Queue | Node | Buffer | Packet | Ticket | Index | Cursor
 | Session
arg = items | rows | source | target | options | values | limit | path
var = x | item | row | key | entry | value
"""
