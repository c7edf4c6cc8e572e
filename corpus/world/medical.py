"""Vocabulary and sentences of the miniature world's papers and notes; every word is invented for it."""

RULES = """
disease = type 2 diabetes | asthma | heart failure | atrial fibrillation | ischaemic stroke | rheumatoid arthritis
 | psoriasis | chronic kidney disease | breast cancer | colorectal cancer | lung cancer | prostate cancer | melanoma
 | multiple sclerosis | epilepsy | migraine | Parkinson disease | dementia | major depression | bipolar disorder
 | schizophrenia | bulimia | osteoporosis | hip fracture | low back pain | gout | lupus | sepsis | pneumonia
 | influenza | tuberculosis | malaria | hepatitis C | HIV infection | urinary tract infection | otitis media
 | sinusitis | tonsillitis | chronic bronchitis | cystic fibrosis | sleep apnoea | pulmonary embolism
 | deep vein thrombosis | hypertension | coronary artery disease | aortic stenosis | peripheral artery disease
 | varicose veins | iron deficiency | sickle cell disease | haemophilia | leukaemia | lymphoma | multiple myeloma
 | hypothyroidism | Graves disease | Cushing syndrome | obesity | coeliac disease | Crohn disease | ulcerative colitis
 | irritable bowel syndrome | gastric ulcer | reflux disease | pancreatitis | gallstones | cirrhosis | appendicitis
 | diverticulitis | kidney stones | endometriosis | pre-eclampsia | preterm birth | infertility | menopause | glaucoma
 | cataract | macular degeneration | dry eye | hearing loss | tinnitus | eczema | acne | rosacea | burn injury
 | pressure ulcers | diabetic foot | delirium | concussion | spinal cord injury | cerebral palsy | autism
 | attention deficit disorder | alcohol dependence | anaphylaxis
drug = metformin | insulin glargine | salbutamol | budesonide | bisoprolol | ramipril | losartan | amlodipine
 | warfarin | apixaban | clopidogrel | aspirin | atorvastatin | ezetimibe | methotrexate | adalimumab | rituximab
 | trastuzumab | tamoxifen | letrozole | docetaxel | cisplatin | pembrolizumab | imatinib | prednisolone
 | azathioprine | ciclosporin | tacrolimus | levodopa | donepezil | lamotrigine | valproate | levetiracetam
 | sertraline | lithium | quetiapine | olanzapine | clozapine | methylphenidate | naltrexone | alendronate | denosumab
 | allopurinol | colchicine | ibuprofen | paracetamol | morphine | gabapentin | amoxicillin | doxycycline
 | azithromycin | ceftriaxone | meropenem | vancomycin | rifampicin | isoniazid | artesunate | sofosbuvir | tenofovir
 | dolutegravir | oseltamivir | fluconazole | omeprazole | mesalazine | infliximab | ursodiol | lactulose
 | levothyroxine | carbimazole | semaglutide | empagliflozin | furosemide | spironolactone | digoxin | amiodarone
 | heparin | tranexamic acid | ferrous sulphate | erythropoietin | folic acid | vitamin D | oxytocin | misoprostol
 | progesterone | latanoprost | ranibizumab | isotretinoin | dupilumab | secukinumab
comparator = placebo | usual care | best supportive care | standard dosing | watchful waiting | a sham procedure
 | delayed treatment | an active control | dietary advice | supervised exercise | telephone follow-up
 | the older regimen | a lower dose | surgery | physiotherapy | cognitive therapy | observation alone
population = older adults | school children | infants | pregnant women | young men | veterans | nursing home residents
 | rural households | shift workers | athletes | transplant recipients | dialysis patients | newborns | adolescents
 | hospital staff | postmenopausal women | smokers | migrants | first-degree relatives | outpatients
 | intensive care patients | primary care patients | people aged over {#60-85} years | adults under {#30-60} years
 | women with previous {disease} | men with untreated {disease}
outcome = mortality | readmission | quality of life | pain scores | length of stay | relapse | remission | disability
 | walking distance | blood pressure control | weight loss | wound healing | visual acuity | sleep quality
 | treatment adherence | adverse events | infection rates | falls | cognitive function | bleeding | transfusion
 | graft survival | tumour response | symptom burden | lung function | fatigue | return to work | cost
 | time to recovery | seizure frequency | bone density | renal function | stroke recurrence | anxiety
lab = haemoglobin | creatinine | serum sodium | potassium | glucose | HbA1c | cholesterol | triglycerides
 | C-reactive protein | ferritin | albumin | bilirubin | alkaline phosphatase | troponin | lactate | calcium
 | phosphate | urea | platelet count | white cell count | neutrophil count | procalcitonin | vitamin B12 | thyrotropin
 | cortisol | prolactin | testosterone | insulin | fibrinogen | D-dimer | uric acid | magnesium | interleukin 6
 | urine protein | serum osmolality | brain natriuretic peptide
organ = heart | liver | kidney | lung | brain | pancreas | spleen | stomach | colon | bladder | thyroid | skin
 | retina | cochlea | femur | lumbar spine | knee | shoulder | hip | aorta | coronary arteries | portal vein
 | lymph nodes | bone marrow | placenta | uterus | ovary | prostate | oesophagus | small bowel | gallbladder
 | adrenal gland | hippocampus | cerebellum | trachea | diaphragm
setting = a teaching hospital | {#3-40} general practices | a rural clinic | {#2-12} tertiary centres
 | a community programme | an emergency department | a national registry | {#4-30} countries | a memory clinic
 | a maternity unit | a rehabilitation ward | an intensive care unit | a day surgery unit | a cancer network
 | a screening service | a home care service | a paediatric ward | a military cohort
method = logistic regression | Cox models | mixed models | propensity matching | a blinded review
 | semi-structured interviews | flow cytometry | mass spectrometry | polymerase chain reaction | microarrays
 | Western blotting | immunohistochemistry | magnetic resonance imaging | computed tomography | ultrasound
 | electrocardiography | spirometry | a validated questionnaire | linked records | a decision model
 | multiple imputation | bootstrapping | a case-crossover design | interrupted time series | cluster analysis
 | confocal microscopy | whole-genome sequencing | a standard protocol | direct observation | diary cards
symptom = chest pain | breathlessness | cough | fever | headache | nausea | vomiting | diarrhoea | constipation
 | dizziness | palpitations | leg swelling | weight loss | night sweats | blurred vision | numbness | weakness
 | tremor | confusion | insomnia | itching | rash | joint stiffness | back pain | abdominal pain | dysuria
 | haematuria | hoarseness | sore throat | loss of appetite | fatigue | fainting | jaundice | bruising
procedure = endoscopy | colonoscopy | bronchoscopy | angiography | valve replacement | hip replacement | dialysis
 | biopsy | appendectomy | caesarean section | cataract surgery | lumbar puncture | skin grafting | stenting
 | cardioversion | transplantation | radiotherapy | hernia repair | thyroidectomy | mastectomy | amputation
 | intubation | blood transfusion | laparoscopy | arthroscopy | vaccination
gene = BRC2L | KDM7 | TNFX4 | IL9R2 | PAX11 | CYPB6 | MTRF | SLC90A | HLA-K3 | FOXN8 | NOTCH7 | RASL5 | GATA9 | WNT19
 | TP71 | ERB5 | JAK7 | STAT9 | LDLRX | APOF3
mechanism = oxidative stress | insulin resistance | endothelial injury | altered immunity | gene expression
 | chronic inflammation | bacterial adhesion | calcium signalling | protein misfolding | cell death | autophagy
 | hormone release | clot formation | neural plasticity | DNA repair | tissue remodelling | membrane transport
 | viral replication | bile flow | collagen synthesis
common = common | frequent | leading | neglected | costly | preventable | growing | rare | serious | persistent
 | well-known | poorly understood
cause = cause of {outcome} | reason for admission | burden for families | source of disability
 | problem in {population} | threat to {population} | challenge for clinicians
showed = showed | suggested | revealed | indicated | demonstrated | confirmed | hinted | implied
improved = improved | reduced | altered | delayed | prevented | increased | worsened | predicted | shortened
 | restored | maintained | impaired
linked = associated with | linked to | related to | independent of | followed by | explained by | correlated with
 | accompanied by | preceded by
study = trial | cohort study | case series | survey | pilot study | cross-sectional study | retrospective review
 | crossover study | registry analysis | case-control study | feasibility study | laboratory study | qualitative study
 | cost analysis | meta-analysis
size = small | moderate | large | modest | marked | consistent | uncertain | clinically relevant | unexpected | early
 | sustained | partial
period = {#2-11} days | {#2-30} weeks | {#2-18} months | {#2-15} years | the first year | the study period
 | one winter | early follow-up | late follow-up | the second visit
lead = in addition, | by contrast, | moreover, | overall, | however, | notably, | as expected, | surprisingly,
 | in this setting, | after adjustment, | unlike {comparator}, | among {population}, | at {#3-36} months,
 | during {period}, | for {outcome}, | with {method},
stat = (P = {#0.001-0.049}) | (P < {#0.001-0.010}) | (odds ratio {#1.1-4.9}, 95% CI {#0.6-1.0} to {#5.0-7.9})
 | (hazard ratio {#0.31-0.99}) | (relative risk {#0.40-2.90}) | (mean difference {#1.1-9.9} points)
 | ({#11-89}% versus {#11-89}%) | (n = {#20-900}) | (r = {#0.21-0.89}) | ({#3-60} of {#61-400} cases)
tail = after {period} | in {population} | at {setting} | with {drug} | without {drug} | during {period}
 | despite {drug} | before {procedure} | following {procedure} | when {lab} was {level} | regardless of {lab}
level = low | high | normal | raised | unmeasured | stable | falling | rising
why = because {outcome} {matters} | since {lab} {varied} | although {outcome} {matters} | while {lab} {varied}
 | whereas {symptom} {varied}
matters = was rarely recorded | mattered most to patients | changed little | remained uncertain | was hard to measure
 | differed between sites | drives most decisions | was self-reported
varied = varied widely | fell slowly | rose early | stayed the same | was seldom checked | differed by sex
 | depended on age | returned to baseline
filler = indeed | rather | several | another | perhaps | later | minor | local | further | recent | usual | initial
 | other | partly | often | wider | brief | certain | final | former
"""

SENTENCES = """
title = {drug} versus {comparator} for {disease} in {population}: a {study}
 | effect of {drug} on {outcome} and {lab} in {disease} | {lab} predicts {outcome} in {population} with {disease}
 | {mechanism} in the {organ} of {population} with {disease} | {method} of {disease} at {setting}
 | {outcome} after {procedure} for {disease}: a {study} at {setting} | is {lab} {linked} {outcome} in {disease}?
 | {gene} and {mechanism} in {disease}: evidence from {method}
 | {symptom} as a first sign of {disease} in {population}
 | a {study} of {drug} and {procedure} in {population} with {disease}
 | {disease} and {outcome} during {period} of {drug} | the role of {gene} in {mechanism} of the {organ}
 | {procedure} or {drug} for {disease}? A {study}
background = {disease} is a {common} {cause}, {why}. | the {cause} due to {disease} {matters} {tail}.
 | whether {drug} {improved} {outcome} in {disease} {matters}.
 | few data from {population} {showed} how {drug} affects {lab}.
 | we tested if {drug} or {comparator} {improved} {outcome} {tail}.
 | {mechanism} may {link} {disease} and {outcome}, {why}.
 | {procedure} for {disease} is {common}, but {outcome} {matters}.
 | earlier work {showed} that {lab} was {linked} {outcome} {tail}.
 | our aim was to {compare} {drug} and {comparator} {tail}.
 | in {population}, {disease} often begins with {symptom} {tail}. | {gene} has been {linked} {disease} in {setting}.
 | guidelines for {disease} recommend {drug}, {why}. | the {organ} is {affected} in {disease}, {why}.
 | {symptom} and {symptom} are {common} in {disease} {tail}.
link = connect | separate | explain | join | underlie
compare = compare | weigh | contrast | relate | evaluate
affected = affected early | often spared | enlarged | inflamed | damaged | the main target
methods = in this {study}, {#20-990} {population} {received} {drug} or {comparator}.
 | {outcome} was assessed with {method} {tail}. | we {measured} {lab} and {lab} at baseline and {tail}.
 | {population} with {disease} were {recruited} at {setting}. | {method} was used to {compare} {outcome} and {lab}.
 | the primary {endpoint} was {outcome} {tail}. | we {excluded} {population} with {disease} or {symptom}.
 | samples of the {organ} were {analysed} with {method}. | {outcome} and {outcome} were {recorded} by {staff} {tail}.
 | doses of {drug} were {adjusted} to {lab} {tail}. | {staff} {measured} {symptom} every {#2-12} weeks {tail}.
 | {method} and {method} {handled} missing {lab} values.
 | from {#1995-2012} to {#2013-2024}, {setting} {recorded} {outcome} {tail}.
 | a sample of {#40-800} gave {#80-95}% power for {outcome}.
received = received | were assigned to | were offered | started | switched to
measured = measured | recorded | compared | tracked | checked | monitored
recruited = recruited | followed | screened | identified | enrolled | interviewed
endpoint = endpoint | outcome | measure | hypothesis
excluded = excluded | left out | did not enrol | analysed separately
analysed = analysed | stained | frozen and examined | compared | examined twice
recorded = recorded | reviewed | coded | rated | reported
staff = trained nurses | two reviewers | the ward team | blinded assessors | the pharmacist | family doctors
 | physiotherapists | study midwives | a radiologist | the laboratory
adjusted = adjusted | matched | titrated | limited
handled = dealt with | accounted for | replaced | bounded
results = {outcome} {improved2} with {drug} {stat}, {why}. | {lead} {lab} was {size} and {linked} {outcome} {stat}.
 | {#12-890} {population} {completed} {period} of {drug} {tail}. | {symptom} was {reported} by {#3-70}% {tail} {stat}.
 | {lead} {drug} {improved} {outcome} by {#3-45}% {stat}. | median {lab} was {#2-90} units {tail} {stat}.
 | {method} {showed} a {size} effect on {outcome} {stat}. | {lead} {outcome} did not differ {tail} {stat}.
 | {gene} expression in the {organ} was {level} {tail} {stat}. | {procedure} was needed in {#2-40}% {tail}.
 | {lead} {mechanism} was {linked} {lab} {stat}. | {symptom} {varied} and {symptom} {varied} {tail}.
 | the {organ} {changed} in {#3-60} of {#61-300} {population}. | {lead} {disease} was {linked} {outcome} {tail}.
 | {staff} {recorded} {#4-80} cases of {symptom} {tail}.
improved2 = improved | fell | rose | was unchanged | worsened | recovered
completed = completed | tolerated | stopped | declined
reported = reported | denied | noted | described
changed = appeared normal | was enlarged | showed scarring | had shrunk | was inflamed
conclusions = {drug} {improved} {outcome} in {population} with {disease}, {why}.
 | these data {showed} that {lab} is {linked} {outcome}. | {lead} {drug} may be {offered} to {population} {tail}.
 | {disease} should be {considered} when {symptom} {persists}.
 | larger studies in {population} should {compare} {drug} and {comparator}.
 | {mechanism} may {link} {lab} and {outcome} in {disease}. | {procedure} is {safe} in {population} {tail}.
 | the {size} effect on {outcome} {matters}, {why}. | routine {lab} testing {tail} is {safe}.
 | {lead} {gene} may {link} {mechanism} and {disease}.
offered = offered | given | preferred | avoided | postponed
considered = considered | suspected | excluded | treated early
persists = persists | recurs | appears late | follows {procedure} | resists {drug}
safe = safe | feasible | worthwhile | hard to justify | effective | of doubtful value | acceptable
discussion = our {study} {showed} that {drug} {improved} {outcome} {tail}.
 | {lead} the {size} effect of {drug} {matters}. | one reason may be {mechanism}, which is {linked} {lab}.
 | {staff} at {setting} {reported} {outcome} of similar {order}.
 | {lead} {limits} {weaken} these findings on {outcome}. | the {order} of {lab} {varied}, as in {setting}.
 | {comparator} and {drug} {differ} in {outcome} {tail}. | future work on {disease} should {measure} {outcome} {tail}.
 | {lead} {population} with {symptom} may {gain} from {drug}.
 | {mechanism} in the {organ} would {predict} {level} {lab}.
 | it is {plausible} that {gene} {improved} {mechanism} {tail}.
 | {disease} and {disease} share {mechanism} in the {organ}.
 | cost and {outcome} {differ} between {comparator} and {procedure}. | {strength} of this {study} is {method} {tail}.
 | {lead} {lab} alone cannot {predict} {outcome} {tail}.
 | families of {population} {valued} {outcome} more than {outcome}.
limits = small numbers | missing {lab} values | selection of {population} | short follow-up | reliance on {method}
 | changes in {procedure} | losses to follow-up | unblinded ratings
weaken = weaken | do not alter | qualify | may bias | limit
order = size | direction | timing | pattern | spread
differ = differ | agree | diverge | were compared
measure = measure | report | predict | prevent | explain
gain = gain | suffer | learn | benefit less
predict = predict | explain | imply | exclude
plausible = plausible | unlikely | possible | well known
strength = a strength | a weakness | the novelty | one merit
valued = valued | discussed | feared | understood
caption = {outcome} by {lab} in {population} {tail}. | {method} of the {organ} {tail}.
 | {lab} and {lab} during {period} of {drug}. | flow of {population} through the {study} at {setting}.
guideline = offer {drug} to {population} with {disease} when {lab} is {level}.
 | do not use {procedure} for {disease} {tail}.
 | {measure} {lab} every {#2-12} {units} in {population} who take {drug}.
 | refer {population} with {symptom} and {symptom} to {setting}.
 | if {symptom} {persists}, stop {drug} and check {lab}. | {lead} review {drug} and discuss {outcome} with the family.
 | consider {procedure} within {#2-72} hours when {symptom} and {level} {lab} occur together.
 | explain that {drug} may cause {symptom}, {why}. | before {procedure}, ask about {symptom}, {symptom} and {disease}.
 | start {drug} at {#5-80} mg and review {lab} {tail}.
 | a team that includes {staff} should {plan} care for {disease}.
 | {strongly} recommend {drug} over {comparator} for {outcome} {tail}.
 | evidence from {study_n} studies of {drug} was {quality}.
 | {population} with {disease} should be told how {symptom} is {treated}.
units = days | weeks | months | hours
plan = plan | review | lead | coordinate
strongly = strongly | weakly | conditionally | do not
study_n = {#2-40} small | {#2-19} randomised | several observational | {#2-9} unblinded | {#3-12} older
certainty = of low quality | of moderate quality | of high quality | indirect | inconsistent
treated = treated | prevented | recorded | reported | managed at home
question = a {#18-88}-year-old {person} with {disease} has {symptom} and {symptom} for {#2-20} days. {lab} is
   {level}. Which of the following is the {best} next step?
 | a {#18-88}-year-old {person} takes {drug} and develops {symptom} after {procedure}. Examination of the {organ} is
   {unremarkable}. Which of the following {best} explains the {level} {lab}?
best = best | most appropriate | most likely
unremarkable = unremarkable | abnormal | painful | limited
person = man | woman | farmer | teacher | retired nurse | bus driver | carpenter | student | cook | musician
yesno = does {drug} improve {outcome} in {population} with {disease}?
 | is {lab} related to {outcome} after {procedure}? | can {symptom} predict {disease} in {population}?
 | should {population} with {disease} receive {drug} before {procedure}?
"""

NOTES = """
hpi = this is a {#24-88} year old {person} with a history of {disease} and {disease} who {presented} with {symptom}.
 | {pronoun} {reports} {symptom} for {#2-20} days, {why2}. | {pronoun} denies {symptom}, {symptom} or {symptom}.
 | {symptom} {began} after {trigger} and {course}. | on arrival {pronoun} was {appearance} with {lab} of {#2-190}.
 | {pronoun} was given {drug} and {drug} and {course2}. | at {setting} {pronoun} had {procedure} {ago}.
 | the family {reports} that {symptom} {began} {ago}. | {pronoun} stopped {drug} {ago} because of {symptom}.
 | review of systems was {positive} for {symptom} and {symptom}.
presented = presented | was referred | was transferred | returned | was brought in
pronoun = the patient | this patient | {person2}
person2 = he | she
reports = reports | describes | mentions | recalls | notes
why2 = worse at night | better with rest | not relieved by {drug} | with {symptom} | worse on walking
 | without {symptom}
began = began | worsened | returned | first appeared
trigger = a long drive | a heavy meal | a fall at home | a flight | missed doses of {drug} | {procedure} | a cold
 | gardening
course = has been steady | comes and goes | is now constant | resolved with {drug} | spread to the {organ} area
course2 = improved | felt no better | was admitted | became drowsy | slept well
appearance = comfortable | pale | anxious | febrile | drowsy | short of breath | in pain | well
ago = {#2-9} days ago | {#2-8} weeks ago | last month | last winter | {#2-20} years ago | as a child
positive = positive | negative | notable | unrevealing
hospital = {pronoun} was {started} on {drug} for {disease} and {course2}.
 | {lab} {trended} from {#20-90} to {#2-19} over {#2-9} days.
 | cardiology was {consulted} about {symptom} and {advised} {drug}.
 | {procedure} on day {#2-9} {found} {changed2} {organ}. | {drug} was {stopped} because {lab} was {level}.
 | for {disease}, {drug} was {continued} and {lab} followed. | overnight {pronoun} had {symptom}, treated with {drug}.
 | {pronoun} walked {#20-200} metres with {staff} before discharge. | imaging of the {organ} {found} no change {ago}.
 | cultures {grew} and {drug} was {stopped} after {#3-10} days.
 | {pronoun} was transfused {#1-4} units for {level} {lab}.
 | {disease}: {drug} {continued}, recheck {lab} in {#2-8} weeks.
started = started | restarted | loaded | kept
trended = trended | improved | fell | dropped
consulted = consulted | called | involved | informed
advised = advised | recommended | suggested stopping | increased
found = showed | found | revealed | confirmed
changed2 = a normal | an enlarged | a scarred | a stable | an inflamed
stopped = stopped | held | reduced | switched
continued = continued | titrated | deferred | given twice daily
grew = grew nothing | remained pending | grew skin flora | were sterile
exam = general: {appearance}, {alert} | heart: {rhythm}, {murmur} | lungs: {breath} | abdomen: {belly}
 | extremities: {legs} | neuro: {alert}, {moves} | skin: {skin}
alert = alert and oriented | sleepy but rousable | conversant | fully alert
rhythm = regular rhythm | irregular rhythm | tachycardic | distant sounds
murmur = no murmur | soft systolic murmur | no rub or gallop | loud second sound
breath = clear to auscultation | crackles at both bases | reduced air entry on the left | scattered wheeze
belly = soft and not tender | mildly distended | tender over the {organ} | bowel sounds present
legs = warm, no oedema | trace oedema | pulses present | healed scar over the {organ}
moves = moves all limbs | mild left weakness | gait steady | strength full
skin = no rash | dry | small bruise on the arm | wound clean
instruct = you were {admitted2} to the hospital because of {symptom}.
 | we {gave} you {drug}, and your {lab} {improved2}. | please {take} {drug} every {#4-24} hours with food.
 | call your doctor if {symptom} or {symptom} {persists}. | do not drive while taking {drug} {tail2}.
 | you should {see} {staff} within {#2-8} weeks. | weigh yourself each morning and {take} {drug} as {advised}.
 | it was a pleasure to care for you during this stay.
admitted2 = admitted | brought | moved | referred
gave = gave | started | changed | offered
take = take | continue | reduce | finish
see = see | call | visit | write to
tail2 = until you are seen | for {#2-9} days | unless told otherwise | after {procedure}
rad_indication = {#20-88} year old {person} with {disease} and {symptom}
 | {symptom} after {procedure}, evaluate {organ} | {disease} on {drug}, new {symptom}
 | follow-up of {organ} lesion, {symptom} {ago} | fall {ago}, {symptom} | rule out {disease} in {population}
rad_finding = the {part} {shows} {abnormality} {where}. | there is {abnormality} {where}.
 | {abnormality} {where} is {change2}. | no {abnormality} is seen {where}. | the {part} is {normal}.
 | {device} {placed} {where}. | {change3} of {abnormality} {where}. | {part} and {part} are {normal}.
 | mild {abnormality} is noted {where}, {change2}. | {normal} appearance of the {part}.
part = right lung | left lung | cardiac silhouette | mediastinum | aortic arch | right hilum | left hilum | trachea
 | diaphragm | pleural space | rib cage | thoracic spine | liver edge | spleen | right kidney | left kidney | pancreas
 | gallbladder | bowel gas pattern | lumbar spine | left hip | right knee | lateral ventricles | basal ganglia
 | paranasal sinuses
shows = shows | contains | demonstrates | is partly obscured by | is distorted by
abnormality = small effusion | patchy opacity | linear scarring | a {#3-28} mm nodule | mild oedema
 | dense consolidation | a simple cyst | an old fracture | calcification | soft tissue swelling | volume loss
 | wall thickening | a {#4-40} mm mass | air trapping | degenerative change | free fluid | a hypodense focus
 | vascular congestion | hyperinflation | a small hernia
where = at the base | near the apex | in the upper zone | in the lower zone | along the margin
 | at the level of T{#3-12} | on the left | on the right | posteriorly | anteriorly | on image {#11-98}
 | on both views | in the midline | adjacent to the {part} | on series {#2-9}
change2 = unchanged | slightly larger | slightly smaller | new since the prior study | better seen today
 | of doubtful meaning
change3 = interval increase | interval decrease | no change | near resolution | first appearance
normal = normal | unremarkable | within normal limits | well preserved | not enlarged | stable
device = a feeding tube | the central line | a chest drain | the pacemaker | a tracheal tube | surgical clips
 | a stent
placed = ends | projects | lies | has been moved | is seen
rad_impression = {#1-3}. {change3} of {abnormality} {where}. | no evidence of {disease}.
 | {abnormality} {where}, {change2}. | findings {raise} {disease}. | recommend {procedure} if {symptom} {persists}.
raise = suggest | may represent | favour | argue against | are typical of
rad_exam = chest, two views | portable chest | abdomen and pelvis CT | head CT without contrast | lumbar spine MRI
 | renal ultrasound | left hip, two views | chest CT with contrast | liver ultrasound | brain MRI
 | right knee, three views | abdomen, supine
nursing = {pronoun} {appearance} this shift, {alert}. | {symptom} {improved2} with {drug} at {#1-23}:{#10-59}.
 | {lab} {level} at {#2-190}, team aware. | {drug} {continued} per order, {symptom} {improved2}.
 | breath sounds: {breath}; abdomen {belly}. | family {visited} and {asked} about {procedure}.
 | urine output {#20-90} ml per hour {tail3}. | plan: {procedure} in the morning, hold {drug}.
 | turned every {#2-4} hours, skin {skin}.
visited = visited | called | waited | stayed
asked = asked | worried | spoke | read
tail3 = all night | since {drug} | until noon | with {drug}
"""
