//! One run: what stands, who does what, and what is written down of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use comity::api::decision::DecisionAction;
use comity::api::stage::Stage;
use comity::api::{PartnerGrant, name};
use e2e::clock::Clock;
use e2e::{Cluster, Comity, Error, Result};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::json;

use super::cast::Person;
use super::ground::{self, Ground};
use super::history::Deed;
use super::step::{About, Act, Beside, Process, SLOTS, Slot, Step, Wish};
use super::witness::Witness;

/// How long what is done at once may take on a machine that is busy with everything else.
pub const SOON: Duration = Duration::from_secs(60);

/// One run.
pub struct Story<'a> {
    pub cluster: Cluster,
    pub comity: &'a Comity,
    /// What its processes go by, unless it is the machine's.
    clock: Option<&'a Clock>,
    pub witness: Witness,
    /// Its namespace, after which its boundary and partner are called too.
    pub namespace: String,
    /// What the names of its grants begin with.
    mark: String,
    pub grants: [Grant; SLOTS],
    /// How the processes are: `run`, and `sign`.
    processes: [Health; 2],
    /// The newest generation that was seen of what people write.
    generations: BTreeMap<String, i64>,
    begun: Instant,
    /// What happened, in words.
    pub log: Vec<String>,
}

/// How a process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Health {
    Works,
    Frozen,
    Killed,
}

/// A grant, and those before it for the same.
#[derive(Clone, Debug)]
pub struct Grant {
    purpose: &'static str,
    /// Who applies it.
    by: Person,
    number: u32,
    /// Every text of it, the newest last.
    texts: Vec<Wish>,
    /// Every digest that people were shown, the newest last.
    pub digests: Vec<String>,
}

impl<'a> Story<'a> {
    /// Lays the ground for a run. `number` tells it from others on the same cluster.
    pub async fn begin(
        cluster: &Cluster,
        (comity, clock): (&'a Comity, Option<&'a Clock>),
        number: usize,
    ) -> Result<Self> {
        let (namespace, mark) = (cluster.unique("run"), format!("r{number}"));
        let witness = Witness::begin(cluster, &namespace, &mark).await?;
        let grant = |purpose, by| Grant { purpose, by, number: 1, texts: Vec::new(), digests: Vec::new() };
        let grants = [grant("fraud-detection", Person::Ada), grant("model-quality", Person::Flux)];
        let mut story = Self {
            cluster: cluster.clone(),
            comity,
            clock,
            witness,
            namespace,
            mark,
            grants,
            processes: [Health::Works; 2],
            generations: BTreeMap::new(),
            begun: Instant::now(),
            log: Vec::new(),
        };
        story.lay_ground().await?;
        Ok(story)
    }

    async fn lay_ground(&mut self) -> Result<()> {
        // A run begins alike, whatever the one before it came to.
        self.set_back(0)?;
        let labels = json!({name::LABEL_SHARES: "true", name::LABEL_DATASET_INGRESS: "true"});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": labels}});
        let made = self.cluster.apply_yaml(&namespace.to_string()).await?;
        self.witness.has_seen(made[0].metadata.uid.as_deref().unwrap_or_default()).await?;
        for process in [Process::Run, Process::Sign] {
            self.witness.did(Deed::Works(process, true));
        }
        self.write(Person::Ben, &ground::whole(&self.namespace)).await.map(drop)
    }

    /// Lets something happen, and writes down what came of it. What the API server refuses is refused.
    pub async fn take(&mut self, step: &Step) -> Result<()> {
        let begun = self.begun.elapsed();
        let outcome = match self.perform(step).await {
            Err(error) => match error.refusal() {
                Some(status) => format!(
                    "refused ({}): {}",
                    status.code,
                    status.message.lines().next().unwrap_or_default()
                ),
                None => return Err(error),
            },
            Ok(outcome) => outcome,
        };
        self.log.push(format!("{:7.2}s  {step:?}  {outcome}", begun.as_secs_f64()));
        Ok(())
    }

    async fn perform(&mut self, step: &Step) -> Result<String> {
        match step {
            Step::Apply(slot, wish) => {
                self.grants[*slot].texts.push(wish.clone());
                self.apply(*slot, wish).await
            }
            Step::ApplyAgain(slot, age) => {
                let texts = &self.grants[*slot].texts;
                let wish = texts[texts.len().saturating_sub(1 + *age as usize)].clone();
                self.apply(*slot, &wish).await
            }
            Step::ApplyNext(slot, beside) => self.apply_next(*slot, *beside).await,
            Step::Delete(slot, who) => self.delete(*slot, *who).await,
            Step::Decide(slot, who, act) => self.decide(*slot, *who, act).await,
            Step::Agree(slot) => self.agree(*slot).await,
            Step::Lengthen(slot, seconds) => self.lengthen(*slot, *seconds).await,
            Step::Write(who, ground) => self.write(*who, &ground.document(&self.namespace)).await,
            Step::WriteAll(who) => self.write(*who, &ground::whole(&self.namespace)).await,
            Step::Remove(ground) => self.remove(*ground).await,
            Step::Kill(process) => Ok(self.kill(*process)),
            Step::Freeze(process) => self.freeze(*process),
            Step::Start => self.start().await,
            Step::Meddle(slot, what) => self.meddle(*slot, *what).await,
            Step::SetBack(seconds) => self.set_back(*seconds),
            Step::LoseStatus(slot) => self.lose_status(*slot).await,
            Step::DeleteDecision(slot) => self.delete_decision(*slot).await,
            Step::Pass(span) => pass(*span).await,
        }
    }

    /// The name of a grant.
    pub fn called(&self, slot: Slot) -> String {
        format!("{}-{}-{}", self.mark, ["a", "b"][slot], self.grants[slot].number)
    }

    /// A grant, as it stands.
    pub async fn grant(&self, slot: Slot) -> Result<PartnerGrant> {
        Ok(self.api::<PartnerGrant>().get(&self.called(slot)).await?)
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    async fn apply(&mut self, slot: Slot, wish: &Wish) -> Result<String> {
        let grant = &self.grants[slot];
        let (by, text) = (grant.by, wish.grant(&self.namespace, &self.called(slot), grant.purpose));
        let as_them = self.cluster.as_user(&by.name(&self.namespace), by.groups())?;
        let applied = as_them.apply_yaml(&text.to_string()).await?;
        Ok(self.wrote(by, &applied))
    }

    async fn apply_next(&mut self, slot: Slot, beside: Beside) -> Result<String> {
        let is_there = self.api::<PartnerGrant>().get_opt(&self.called(slot)).await?;
        let lives = is_there.is_some_and(|grant| !has_ended(&grant));
        if lives && beside == Beside::Nothing {
            return Ok(format!("{} hasn't ended", self.called(slot)));
        }
        self.grants[slot].number += 1;
        let wish = self.grants[slot].texts.last().cloned();
        let Some(wish) = wish.map(|wish| Wish { suspend: false, ceiling: Stage::Production, ..wish }) else {
            return Ok("nothing was asked for yet".to_owned());
        };
        self.grants[slot].texts.push(wish.clone());
        Ok(format!("{}: {}", self.called(slot), self.apply(slot, &wish).await?))
    }

    async fn delete(&mut self, slot: Slot, who: Person) -> Result<String> {
        let uid = self.grant(slot).await?.metadata.uid.unwrap_or_default();
        let as_them = self.cluster.as_user(&who.name(&self.namespace), who.groups())?;
        // Whether it is refused or not: what is said is what may go.
        let api: Api<PartnerGrant> = Api::namespaced(as_them.client(), &self.namespace);
        api.delete(&self.called(slot), &DeleteParams::default()).await?;
        self.witness.did(Deed::Deleted { uid });
        Ok("deleted".to_owned())
    }

    /// Somebody with every right writes.
    pub async fn write(&mut self, who: Person, text: &str) -> Result<String> {
        let as_them = self.cluster.as_user(&who.name(&self.namespace), &["system:masters"])?;
        let applied = as_them.apply_yaml(text).await?;
        Ok(self.wrote(who, &applied))
    }

    /// Writes down whose a generation is, where it is new: the same text again isn't written anew.
    fn wrote(&mut self, who: Person, applied: &[DynamicObject]) -> String {
        let (mut words, who) = (Vec::new(), who.name(&self.namespace));
        for object in applied {
            let generation = object.metadata.generation.unwrap_or_default();
            let uid = object.metadata.uid.clone().unwrap_or_default();
            let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
            words.push(format!("{kind} generation {generation}"));
            let known = self.generations.entry(uid.clone()).or_default();
            if generation > *known {
                *known = generation;
                self.witness.did(Deed::Wrote { uid, generation, who: who.clone() });
            }
        }
        if words.len() > 1 { "all of it".to_owned() } else { words.concat() }
    }

    async fn remove(&self, ground: Ground) -> Result<String> {
        self.cluster.delete_yaml(&ground.document(&self.namespace)).await?;
        Ok("gone".to_owned())
    }

    async fn lose_status(&self, slot: Slot) -> Result<String> {
        let patch = Patch::Merge(json!({"status": null}));
        self.api::<PartnerGrant>().patch_status(&self.called(slot), &PatchParams::default(), &patch).await?;
        Ok("lost".to_owned())
    }

    fn set_back(&self, seconds: u32) -> Result<String> {
        let Some(clock) = self.clock else { return Ok("they go by the machine's".to_owned()) };
        clock.set(-i64::from(seconds))?;
        Ok("set".to_owned())
    }

    fn daemon(&self, process: Process) -> &'a e2e::comity::Daemon {
        match process {
            Process::Run => self.comity.run(),
            Process::Sign => self.comity.sign(),
        }
    }

    fn kill(&mut self, process: Process) -> String {
        self.witness.did(Deed::Works(process, false));
        self.daemon(process).kill();
        self.processes[process as usize] = Health::Killed;
        "killed".to_owned()
    }

    fn freeze(&mut self, process: Process) -> Result<String> {
        if self.processes[process as usize] != Health::Works {
            return Ok("it doesn't work".to_owned());
        }
        self.witness.did(Deed::Works(process, false));
        self.daemon(process).pause()?;
        self.processes[process as usize] = Health::Frozen;
        Ok("frozen".to_owned())
    }

    /// All processes work again.
    pub async fn start(&mut self) -> Result<String> {
        for process in [Process::Run, Process::Sign] {
            match self.processes[process as usize] {
                Health::Works => continue,
                Health::Frozen => self.daemon(process).resume()?,
                Health::Killed => self.daemon(process).start().await?,
            }
            self.processes[process as usize] = Health::Works;
            self.witness.did(Deed::Works(process, true));
        }
        Ok("all work".to_owned())
    }
}

/// Whether a grant says that it has ended.
fn has_ended(grant: &PartnerGrant) -> bool {
    let mut conditions = grant.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == "Ready" && condition.reason == "Ended")
}

impl Story<'_> {
    /// Everything is as it was, and wanted as far as it goes: what is open now stays so until its end.
    pub async fn mend(&mut self) -> Result<()> {
        let release = Act {
            action: DecisionAction::Release,
            stage: None,
            digest: About::Todays,
            group: "",
            seconds: 0,
        };
        let mut steps = vec![Step::Start, Step::WriteAll(Person::Ben)];
        for slot in 0..SLOTS {
            let newest = self.grants[slot].texts.last().cloned().into_iter();
            let wanted = newest.map(|wish| Wish { suspend: false, ceiling: Stage::Production, ..wish });
            steps.extend(wanted.map(|wish| Step::Apply(slot, wish)));
            steps.extend([Person::Olga, Person::Per].map(|who| Step::Decide(slot, who, release.clone())));
            steps.push(Step::Agree(slot));
        }
        for step in steps {
            self.take(&step).await?;
        }
        Ok(())
    }
}

async fn pass(span: Duration) -> Result<String> {
    e2e::throughout("nothing to happen", span, async || Ok::<_, Error>(())).await?;
    Ok(String::new())
}
